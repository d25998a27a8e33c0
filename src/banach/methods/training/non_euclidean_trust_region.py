"""Momentum inside a trust region of another norm: Muon, signs, normalised SGD."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import flag, real, word
from banach.parts import rules
from banach.parts.orthogonalisation import newton_schulz, polar


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="kovalev2025understanding",
    random=True,
)
class NonEuclideanTrustRegion(rules.Rule):
    """A step to the best point of a linear model in a ball around x.

    m = momentum m + (1 - momentum) g of a batch, and g at the first step
    x+ = argmin <m, z> over ||z - (1 - learning_rate weight_decay) x|| <= learning_rate

    `norm` "spectral" is Muon: x+ = x - learning_rate U V' for m = U S V'. Arrays of
    more than two axes are matrices of their last axis; vectors and scalars are
    matrices of one column, so that theirs is the l2 ball. The norm of a tree is the
    largest of its leaves. U V' is that of Muon's five quintic steps, whose singular
    values end in [0.7, 1.2]; `exact` takes the decomposition. "linf" is signs of
    momentum; "l2" normalised SGD, one ball for the whole tree.

    With weight decay x stays in the ball of radius 1 / weight_decay once it is in,
    and `frank_wolfe_gap` bounds F(x) less the least F of that ball where F is convex.

    Fails to settle: steps have length learning_rate until a schedule shortens them.
    Differs from optax's muon, whose first gradient has the weight 1 - momentum, and
    which scales by shapes. The momentum of the second-order theory (extrapolated) is
    not here.
    """

    learning_rate: Any = rules.rate()
    norm: str = word("spectral", "linf", "l2", default="spectral")
    momentum: Any = rules.decay_rate(0.95)
    weight_decay: Any = real(0.0, low="nonnegative")
    exact: bool = flag(False, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        return rules.zeros(params)

    def direction(self, g, m, params, t):
        m = rules.average(jnp.where(t > 1, self.momentum, 0), m, g)
        if self.norm == "linf":
            return jax.tree.map(jnp.sign, m), m
        if self.norm == "l2":
            return _unit(m), m
        factor = polar if self.exact else newton_schulz

        def of(v):
            if v.ndim < 2 or v.size == 0:
                return _unit(v)
            return factor(v.reshape(-1, v.shape[-1])).reshape(v.shape)

        return jax.tree.map(of, m), m

    def dual_norm(self, g):
        """The largest <g, z> over the unit ball: sums of singular values, say."""
        if self.norm == "l2":
            return tree.norm(g)
        if self.norm == "linf":
            return tree.total(jax.tree.map(jnp.abs, g))

        def nuclear(v):
            v = v.reshape(-1, 1) if v.ndim < 2 else v.reshape(-1, v.shape[-1])
            return jnp.sum(jnp.linalg.svd(v, compute_uv=False)) if v.size else 0

        return sum(nuclear(v) for v in jax.tree.leaves(g))

    def frank_wolfe_gap(self, x, g):
        """<g, x> + ||g||_* / weight_decay of the gradient g of F at x in the ball."""
        return tree.vdot(g, x) + self.dual_norm(g) / self.weight_decay


def _unit(v):
    """v / ||v||, and 0 where v is."""
    size = tree.norm(v) if jax.tree.leaves(v) else jnp.ones(())
    return tree.scale(1 / jnp.where(size > 0, size, 1), v)
