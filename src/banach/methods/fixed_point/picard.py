"""Banach-Picard iteration, averaged where the map is only nonexpansive."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method


class PicardState(eqx.Module):
    """The iterate; `stuck`: the last step moved nothing."""

    x: PyTree
    stuck: Bool[Array, ""]


@method(
    problem="FixedPoint",
    needs={"map"},
    assumes={"nonexpansive"},
    paper="banach1922operations",
    rate_of="||x - x*||",
    rate=lambda c, t: c.q**t * c.radius,
    cost={"map": 1},
)
class Picard(Method):
    """Repeated substitution, x+ = (1 - lam) x + lam T(x).

    lam = 1 (Banach 1922) where T contracts: ||x_k - x*|| <= q^k ||x_0 - x*|| in the
    norm of q, the rate of the card. lam = 1/2 (Krasnoselskii 1955, Mann 1953) where T
    is only nonexpansive: the residual falls like 1 / sqrt(k) if a fixed point exists,
    while lam = 1 may circle for ever. Slow for q near 1, where anderson is the cure.
    """

    relaxation: Any = real()

    @classmethod
    def suggest(cls, problem, facts):
        return cls(relaxation=1.0 if facts.has("contractive") else 0.5)

    def init(self, problem, start, key):
        return PicardState(start.x, jnp.asarray(False))

    def step(self, problem, state, key):
        # Not x + lam (T - x): for lam = 1 the iterate is T(x) to the last bit.
        kept = tree.scale(1 - jnp.asarray(self.relaxation), state.x)
        x = tree.axpy(self.relaxation, problem.map(state.x), kept)
        stuck = tree.max_abs(tree.sub(x, state.x)) == 0
        return PicardState(x, stuck)
