"""AdaHessian: Adam whose second moment is that of a Hessian diagonal."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import rules
from banach.parts.curvature_estimates import CurvedRule


@method(
    problem="FiniteSum",
    needs={"stochastic_grad", "hvp"},
    paper="yao2021adahessian",
    random=True,
)
class Adahessian(CurvedRule):
    """Momentum divided by the root mean square of a Hessian diagonal.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) D^2,  mh and vh without bias
    x+ = x - learning_rate (mh / (sqrt(vh)^power + eps) + weight_decay x)

    g is of a batch; D is the extra argument `curvature`, z (H z) with random signs z
    (`banach.parts.curvature_estimates.hutchinson`), averaged over `block` neighbours
    along the last axis (0: all of them, rows of a matrix); the last block may be
    shorter. v and its bias count only the steps t = 1, 1 + every, .. in which there is
    a new D; others may hand over anything. The Method takes the Hessian of the whole
    sum.

    Averages are signed, as in the paper; the authors' code takes |D| first. Fails
    where curvature vanishes and the gradient does not: the step is 1 / eps times it.
    The authors' learning rate is 0.15.
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-4, low="nonnegative")
    power: Any = real(1.0, low="nonnegative", most=1.0)
    weight_decay: Any = real(0.0, low="nonnegative")
    block: int = count(1, low=0, static=True)
    every: int = count(1, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        zero = rules.zeros(params)
        return zero, zero

    def direction(self, g, kept, params, t, curvature):
        m, v = kept
        D = jax.tree.map(lambda D: averaged(D, self.block), rules.floats(curvature))
        m = rules.average(self.b1, m, g)
        new = rules.average(self.b2, v, rules.squares(D))
        v = jax.tree.map(lambda a, b: jnp.where(self.due(t), a, b), new, v)
        renewed = jnp.ceil(t / self.every)

        def step(m, v):
            b1, b2, power, eps = (
                jnp.asarray(c, v.dtype)
                for c in (self.b1, self.b2, self.power, self.eps)
            )
            mh = m / (1 - b1 ** t.astype(v.dtype))
            vh = v / (1 - b2 ** renewed.astype(v.dtype))
            # 0^0 is 1; a root of 0 has no derivative.
            root = jnp.where(vh > 0, jnp.where(vh > 0, vh, 1) ** (power / 2), 0)
            below = jnp.where(power == 0, 1, root) + eps
            return mh / jnp.where(below > 0, below, 1)

        return jax.tree.map(step, m, v), (m, v)


def averaged(D, block):
    """Means of runs of `block` entries along the last axis, in their places."""
    if D.ndim == 0 or D.size == 0 or block == 1:
        return D
    n = D.shape[-1]
    runs = jnp.arange(n) // (block or n)
    same = (runs[:, None] == runs[None, :]).astype(D.dtype)
    return jnp.matmul(D, same / same.sum(axis=0), precision="highest")
