"""Douglas-Rachford splitting on the graph of K."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from banach.core.card import method
from banach.core.hyperparameters import fact, real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.graph_solves import GraphSolves, graph_solves
from banach.parts.primal_dual import started


class DouglasRachfordState(eqx.Module):
    """What is returned, the governing sequence (a, b), and the factorisation."""

    x: Array
    y: Array
    a: Array
    b: Array
    solves: GraphSolves


@method(
    problem="Structured",
    needs={"grad", "hess", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="eckstein1992douglas",
    cost={"prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 1},
    init_cost={"grad": 1, "hess": 1, "forward": 1, "adjoint": 1},
)
class DouglasRachford(Method):
    """Reflections at a graph and at a separable sum, averaged with the identity.

    u = prox_{t F}(s),  v = prox_{t G}(2 u - s),  s+ = s + relaxation (v - u)

    F(x, z) = f(x) where z = K x, for a quadratic f or none: one linear system, the
    same at every step. G(x, z) = g(x) + h(z), a prox each. t is `step_size`, and
    t norm^2 the step of z, which puts the rows of K in the unit of x. Dense: for up to
    a few thousand unknowns. y = (2 u - s - v)_z / (t norm^2) is in the subgradients
    of h.

    Converges for any t > 0 and relaxation in (0, 2); slow where t is far from the
    ratio of the sizes of x and y. Fails where f is no quadratic: it is refused.
    """

    step_size: Any = fact("L", lambda L: 1 / L)
    norm: Any = fact("norm")
    relaxation: Any = real(1.0, below=2)

    def init(self, problem, start, key):
        x, n = start.x, jnp.asarray(self.norm, start.x.dtype)
        y, t = started(problem, start), jnp.asarray(self.step_size, x.dtype)
        # The s of a solution (x, y), but for f: s = u - t (subgradients of G).
        a, b = x + t * problem.adjoint(y), problem.forward(x) - t * n**2 * y
        return DouglasRachfordState(x, y, a, b, graph_solves(problem, x, n))

    def step(self, problem, state, key):
        a, b, dtype = state.a, state.b, state.x.dtype
        t, n = jnp.asarray(self.step_size, dtype), jnp.asarray(self.norm, dtype)
        x = state.solves(problem, a, b, t, n)
        z = problem.forward(x)
        after = problem.prox(2 * x - a, t)
        inner = 2 * z - b
        image = problem.outer_prox(inner, t * n**2)
        y = (inner - image) / (t * n**2)
        k = jnp.asarray(self.relaxation, dtype)
        a, b = a + k * (after - x), b + k * (image - z)
        return DouglasRachfordState(after, y, a, b, state.solves)

    def point(self, state):
        return Point(state.x, state.y)
