"""Douglas-Rachford's iteration between the graph z = K x and g(x) + h(z).

Of s = (a, b): u = (x, K x) a point of the graph, v the two proxes at a reflection of u
at s, s+ = s + relaxation (v - u). z has the step t norm^2, which puts the rows of K in
the unit of x.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from banach.core.method import Method
from banach.core.point import Point
from banach.parts.graph_solves import GraphSolves
from banach.parts.primal_dual import started


class GraphState(eqx.Module):
    """What is returned, the governing sequence (a, b), and the factorisation."""

    x: Array
    y: Array
    a: Array
    b: Array
    solves: GraphSolves


class GraphSplitting(Method):
    """What is factorised, and a step of f between the two, the method itself says."""

    step_size: eqx.AbstractVar[Any]
    norm: eqx.AbstractVar[Any]
    relaxation: eqx.AbstractVar[Any]

    def begun(self, problem, start, solves):
        """s as it is at a solution (x, y), but for f."""
        x, n = start.x, jnp.asarray(self.norm, start.x.dtype)
        y, t = started(problem, start), jnp.asarray(self.step_size, x.dtype)
        a, b = x + t * problem.adjoint(y), problem.forward(x) - t * n**2 * y
        return GraphState(x, y, a, b, solves(problem, x, n))

    def turned(self, problem, state, slope):
        """One iteration; slope(x) is what the prox of g steps along besides."""
        a, b, dtype = state.a, state.b, state.x.dtype
        t, n = jnp.asarray(self.step_size, dtype), jnp.asarray(self.norm, dtype)
        x = state.solves(problem, a, b, t, n)
        z = problem.forward(x)
        after = problem.prox(2 * x - a - t * slope(x), t)
        inner = 2 * z - b
        image = problem.outer_prox(inner, t * n**2)
        y = (inner - image) / (t * n**2)
        k = jnp.asarray(self.relaxation, dtype)
        a, b = a + k * (after - x), b + k * (image - z)
        return GraphState(after, y, a, b, state.solves)

    def point(self, state):
        return Point(state.x, state.y)
