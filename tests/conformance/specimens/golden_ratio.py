"""The adaptive golden ratio algorithm (Malitsky 2020, algorithm 1)."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method


class GoldenRatioState(eqx.Module):
    """Iterate, its mean, the iterate before and its operator, step and ratio."""

    z: PyTree
    mean: PyTree
    old: PyTree
    F: PyTree
    size: Float[Array, ""]
    theta: Float[Array, ""]


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    assumes={"monotone"},
    paper="malitsky2020golden",
    cost={"operator": 1, "resolvent": 1},
    init_cost={"operator": 1},
)
class GoldenRatio(Method):
    """Steps from a mean, their length from the local Lipschitz constant.

    s+ = min(rho s, phi theta / (4 s) |z - z-|^2 / |F(z) - F(z-)|^2)
    m+ = ((phi - 1) z + m) / phi,  z+ = J(m+ - s+ F(z)),  theta+ = phi s+ / s
    """

    phi: Any = real(1.5, below=1.7)
    first: Any = real(0.05)

    def init(self, problem, start, key):
        z, F = start.x, problem.operator(start.x)
        size = jnp.asarray(self.first, tree.dtype(z))
        # Any other point will do for the first difference.
        old = tree.axpy(size, F, z)
        return GoldenRatioState(z, z, old, problem.operator(old), size, 1 + 0 * size)

    def step(self, problem, state, key):
        phi, size, F = self.phi, state.size, problem.operator(state.z)
        apart, change = tree.sub(state.z, state.old), tree.sub(F, state.F)
        local = tree.vdot(apart, apart) / tree.vdot(change, change)
        longest = (1 / phi + 1 / phi**2) * size
        after = jnp.minimum(longest, phi * state.theta / (4 * size) * local)
        mean = tree.lerp(1 / phi, state.z, state.mean)
        z = problem.resolvent(tree.axpy(-after, F, mean), after)
        theta = phi * after / size
        return GoldenRatioState(z, mean, state.z, F, after, theta)
