"""Adafactor: second moments of rows and columns in place of entries."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import flag, real
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="shazeer2018adafactor",
    random=True,
)
class Adafactor(rules.Rule):
    """Adam without momentum whose v is a matrix of rank one, of n + m numbers.

    R = b R + (1 - b) rowmeans(g^2 + eps1),  C likewise of columns,  b = 1 - t^-decay
    v = R C' / mean(R),  u = g / sqrt(v),  u = u / max(1, rms(u) / clip)
    x+ = x - max(eps2, rms(x)) rho u,  rho = min(learning_rate, 1 / sqrt(t)),  g of a
    batch; `weight_decay` is decoupled

    Among matrices of rank one, v is the nearest to the full second moments in
    generalised Kullback-Leibler divergence. Vectors keep all of v; tensors of more axes
    are stacks of matrices of their last two. `relative=False` leaves rho at the
    learning rate, `scaled=False` leaves rms(x) out: runs on sums do, since from x = 0
    steps would be of size eps2 rho. No momentum, as in the paper.

    Fails where second moments of a matrix are far from rank one. optax's factors only
    axes of 128 entries or more, and does not lessen rho.
    """

    learning_rate: Any = rules.rate()
    decay: Any = real(0.8)
    clip: Any = real(1.0)
    eps1: Any = real(1e-30)
    eps2: Any = real(1e-3)
    weight_decay: Any = real(0.0, low="nonnegative")
    relative: bool = flag(True, static=True)
    scaled: bool = flag(True, static=True)
    batch: int = rules.batch()

    @classmethod
    def suggest(cls, problem, facts, **given):
        """Steps that do not depend on the size of x, which is 0 where sums start."""
        given.setdefault("scaled", False)
        return super().suggest(problem, facts, **given)

    def kept(self, params):
        def zero(p):
            if p.ndim < 2:
                return (jnp.zeros_like(p),)
            return jnp.zeros_like(p[..., 0]), jnp.zeros_like(p[..., 0, :])

        return tuple(zero(p) for p in jax.tree.leaves(params))

    def direction(self, g, kept, params, t):
        leaves, structure = jax.tree.flatten(g)
        found = [
            self.leaf(g, v, p, t.astype(g.dtype))
            for g, v, p in zip(leaves, kept, jax.tree.leaves(params), strict=True)
        ]
        return jax.tree.unflatten(structure, [u for u, _ in found]), tuple(
            v for _, v in found
        )

    def leaf(self, g, kept, p, t):
        """(direction, moments) of one array."""
        decay, clip, eps1, eps2 = (
            jnp.asarray(c, g.dtype)
            for c in (self.decay, self.clip, self.eps1, self.eps2)
        )
        b, square = 1 - t**-decay, g**2 + eps1
        if g.ndim < 2:
            kept = v = (b * kept[0] + (1 - b) * square,)
            u = g / jnp.sqrt(v[0])
        else:
            R = b * kept[0] + (1 - b) * square.mean(axis=-1)
            C = b * kept[1] + (1 - b) * square.mean(axis=-2)
            # Two roots: the product of R and C may be below the least number.
            rows = R / R.mean(axis=-1, keepdims=True)
            u = g / jnp.sqrt(rows)[..., None] / jnp.sqrt(C)[..., None, :]
            kept = R, C
        u = u / jnp.maximum(1, rms(u) / clip)
        return (jnp.maximum(eps2, rms(p)) * u if self.scaled else u), kept

    def moved(self, rate, updates, state, params, extra):
        if self.relative:
            kind = tree.dtype(rules.floats(params))
            rate = jnp.minimum(rate, 1 / jnp.sqrt((state.t + 1).astype(kind)))
        return super().moved(rate, updates, state, params, extra)


def rms(x):
    """Root of the mean square; 0 of 0, and of an array without entries."""
    square = jnp.sum(x**2) / max(1, x.size)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
