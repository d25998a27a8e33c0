"""The three-operator splitting of Davis and Yin, on the graph of K."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from banach.core.card import method
from banach.core.hyperparameters import fact, real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.graph_solves import GraphSolves, graph_projection
from banach.parts.primal_dual import started


class DavisYinState(eqx.Module):
    """What is returned, the governing sequence (a, b), and the factorisation."""

    x: Array
    y: Array
    a: Array
    b: Array
    solves: GraphSolves


@method(
    problem="Structured",
    needs={"grad", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="davis2017three",
    cost={"grad": 1, "prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 1},
    init_cost={"forward": 1, "adjoint": 1},
)
class DavisYin(Method):
    """Douglas-Rachford with a gradient step between its two proximal ones.

    u = prox_{t B}(s),  v = prox_{t A}(2 u - s - t grad f(u)),
    s+ = s + relaxation (v - u)

    B is the graph z = K x, of which the projection is factorised once; A = g(x) + h(z),
    a prox each; f is any smooth function. t is `step_size`, and t norm^2 the step of z,
    which puts the rows of K in the unit of x. Dense: for up to a few thousand unknowns.
    y = (2 u - s - v)_z / (t norm^2) is in the subgradients of h.

    Converges for t < 2 / L and relaxation < 2 - t L / 2. Fails when steps are longer.
    """

    step_size: Any = fact("L", lambda L: 1 / L)
    norm: Any = fact("norm")
    relaxation: Any = real(1.0, below=2)

    def init(self, problem, start, key):
        x, n = start.x, jnp.asarray(self.norm, start.x.dtype)
        y, t = started(problem, start), jnp.asarray(self.step_size, x.dtype)
        # The s of a solution (x, y).
        a, b = x + t * problem.adjoint(y), problem.forward(x) - t * n**2 * y
        return DavisYinState(x, y, a, b, graph_projection(problem, x, n))

    def step(self, problem, state, key):
        a, b, dtype = state.a, state.b, state.x.dtype
        t, n = jnp.asarray(self.step_size, dtype), jnp.asarray(self.norm, dtype)
        x = state.solves(problem, a, b, t, n)
        z = problem.forward(x)
        after = problem.prox(2 * x - a - t * problem.grad(x), t)
        inner = 2 * z - b
        image = problem.outer_prox(inner, t * n**2)
        y = (inner - image) / (t * n**2)
        k = jnp.asarray(self.relaxation, dtype)
        a, b = a + k * (after - x), b + k * (image - z)
        return DavisYinState(after, y, a, b, state.solves)

    def point(self, state):
        return Point(state.x, state.y)
