"""Halpern iteration for cocoercive inclusions."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import fact
from banach.core.method import Method


class HalpernState(eqx.Module):
    """Iterate, anchor and steps taken."""

    z: PyTree
    anchor: PyTree
    k: Float[Array, ""]


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    assumes={"monotone"},
    paper="diakonikolas2020halpern",
    rate_of="||z - J_s(z - s F(z))|| / s, s = 2 beta",
    rate=lambda c, t: c.radius / (c.cocoercive * (t + 1)),
    cost={"operator": 1, "resolvent": 1},
)
class Halpern(Method):
    """Averages of the start and a forward-backward step, at the optimal rate.

    z+ = 1/(k+2) z0 + (k+1)/(k+2) J_s(z - s F(z)),  s = 2 beta

    with F beta-cocoercive. The residual of the last iterate is at most
    R / (beta (k+1)), R = ||z0 - z*|| (Lieder 2021), which no method can better by more
    than a constant. The anchor forbids faster convergence where F is strongly monotone.
    Fails when `step_size` exceeds 2 beta, and on merely Lipschitz F (rotations).
    """

    step_size: Any = fact(
        "cocoercive",
        lambda beta: 2 * beta,
        instead="extragradient, which needs the Lipschitz constant L alone",
        upper=False,
    )

    def init(self, problem, start, key):
        return HalpernState(start.x, start.x, jnp.zeros((), tree.dtype(start.x)))

    def step(self, problem, state, key):
        s = jnp.asarray(self.step_size, state.k.dtype)
        after = problem.resolvent(tree.axpy(-s, problem.operator(state.z), state.z), s)
        z = tree.lerp(1 / (state.k + 2), after, state.anchor)
        return HalpernState(z, state.anchor, state.k + 1)
