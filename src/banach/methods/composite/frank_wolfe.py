"""Monotonic Frank-Wolfe: open-loop steps, refused where f rises or is undefined."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.method import Method


class FrankWolfeState(eqx.Module):
    """Iterate with f and its gradient, the step number, whether it cannot move."""

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    t: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "lmo"},
    assumes={"smooth"},
    paper="carderera2021simple",
    cost={"value": 1, "grad": 1, "lmo": 1},
    init_cost={"value": 1, "grad": 1},
)
class FrankWolfe(Method):
    """Move towards the vertex that minimises the linearised objective.

    v = argmin_{v in C} <grad f(x), v>,  y = x + 2 / (t + 2) (v - x)

    x+ = y where y lies in the domain of f and f(y) <= f(x), else x+ = x; t grows
    either way. No constant, no line search, no Hessian: f(x) - f* = O(1/t) for convex
    f that are generalised self-concordant (logarithms included), and 2 L D^2 / (t + 2)
    for L-Lipschitz gradients on a set of diameter D, since a refused y has f(x) < f(y).

    Fails by being slow: the steps allow no linear rate, so that certificates below
    1e-6 are out of reach. The start must lie in the domain of f.
    """

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        f, zero = jnp.asarray(f, tree.dtype(start.x)), jnp.zeros((), jnp.int32)
        return FrankWolfeState(start.x, f, g, zero, zero > 0)

    def step(self, problem, state, key):
        gamma = 2 / (state.t + 2).astype(state.f.dtype)
        y = tree.lerp(gamma, state.x, problem.lmo(state.g))
        f, g = problem.value_and_grad(y)
        f = jnp.asarray(f, state.f.dtype)
        good = jnp.isfinite(f) & tree.all_finite(g) & (f <= state.f)
        stuck = tree.max_abs(tree.sub(y, state.x)) == 0
        x, f, g = tree.where(good, (y, f, g), (state.x, state.f, state.g))
        return FrankWolfeState(x, f, g, state.t + 1, stuck)
