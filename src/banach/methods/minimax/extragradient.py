"""Korpelevich's extragradient method."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import fact
from banach.core.method import Method


class ExtragradientState(eqx.Module):
    """Iterate, and whether the last step moved nothing."""

    z: PyTree
    stuck: Bool[Array, ""]


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    assumes={"monotone"},
    paper="korpelevich1976extragradient",
    rate_of="least ||z - J_s(z - s F(z))|| / s, s = 1 / (sqrt(2) L)",
    rate=lambda c, t: 2 * c.L * c.radius / (t + 1) ** 0.5,
    cost={"operator": 2, "resolvent": 2},
)
class Extragradient(Method):
    """A step from z with the operator of a trial step.

    v = J_s(z - s F(z)),  z+ = J_s(z - s F(v)),  s = 1 / (sqrt(2) L)

    For monotone L-Lipschitz F and s < 1/L the distance to every solution falls:
    ||z+ - z*||^2 <= ||z - z*||^2 - (1 - s^2 L^2) ||z - v||^2, so that the least
    residual so far is at most 2 L R / sqrt(k+1); linear where F is strongly monotone.
    The paper has projections; a resolvent is no different. Fails when `step_size`
    exceeds 1/L: iterates may circle or diverge.
    """

    step_size: Any = fact(
        "L",
        lambda L: 0.5**0.5 / L,
        instead="backtracking_extragradient, which needs no constant",
    )

    def init(self, problem, start, key):
        return ExtragradientState(start.x, jnp.asarray(False))

    def step(self, problem, state, key):
        s = jnp.asarray(self.step_size, tree.dtype(state.z))

        def move(v):
            return problem.resolvent(tree.axpy(-s, problem.operator(v), state.z), s)

        z = move(move(state.z))
        stuck = tree.max_abs(tree.sub(z, state.z)) == 0
        return ExtragradientState(z, stuck)
