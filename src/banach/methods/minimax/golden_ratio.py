"""The adaptive golden ratio algorithm (aGRAAL)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.parts import quotient


class GoldenRatioState(eqx.Module):
    """Iterate, F there, the average, the step and theta; whether nothing moves."""

    z: PyTree
    F: PyTree
    average: PyTree
    step: Float[Array, ""]
    theta: Float[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    assumes={"monotone"},
    paper="malitsky2020golden",
    cost={"operator": 1, "resolvent": 1},
    init_cost={"operator": 2},
)
class GoldenRatio(Method):
    """Forward-backward steps from an average, of a length that F itself tells.

    z+ = J_s(a - s F(z)),  a+ = ((phi - 1) z+ + a) / phi
    s+ = min(rho s, phi theta / (4 s) ||z+ - z||^2 / ||F(z+) - F(z)||^2)
    theta+ = phi s+ / s,  rho = 1 / phi + 1 / phi^2

    No constant of F is asked for, and one evaluation a step: F need be Lipschitz only
    near the iterates. Converges for monotone F, linearly where an error bound holds.
    The first step is phi / 2 over the difference quotient of F along itself, as in the
    author's code; the paper's upper bound of the step, a safeguard of the proof, is
    left out. Fails on F that is not monotone.
    """

    phi: Any = real(1.5, below=1.62)

    def init(self, problem, start, key):
        z, F = start.x, problem.operator(start.x)
        length = quotient.along_itself(problem.operator, z, F)
        step = jnp.asarray(self.phi / 2 * length, tree.dtype(z))
        return GoldenRatioState(z, F, z, step, jnp.ones_like(step), jnp.asarray(False))

    def step(self, problem, state, key):
        phi = jnp.asarray(self.phi, state.step.dtype)
        s, theta = state.step, state.theta
        z = problem.resolvent(tree.axpy(-s, state.F, state.average), s)
        F = problem.operator(z)
        moved = tree.norm(tree.sub(z, state.z))
        rose = tree.norm(tree.sub(F, state.F))
        ratio = (moved / jnp.where(rose > 0, rose, 1)) ** 2
        told = phi * theta / (4 * s) * ratio
        longest = (1 / phi + 1 / phi**2) * s
        after = jnp.where(rose > 0, jnp.minimum(longest, told), longest)
        average = tree.lerp((phi - 1) / phi, state.average, z)
        stuck = (moved == 0) & (tree.max_abs(tree.sub(average, state.average)) == 0)
        # Two equal iterates tell nothing.
        after = jnp.where(moved > 0, after, s)
        return GoldenRatioState(z, F, average, after, phi * after / s, stuck)
