"""What only states tell: directions and matrices of every step."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import instances
from banach.claims.runs import states
from banach.core import tree
from banach.parts.line_search import LineSearchResult
from banach.parts.line_search_methods import Search, Searched


class Exact(Search):
    """The minimiser along the direction, for quadratics: two gradients, no value."""

    @property
    def needs(self):
        """The gradient."""
        return frozenset({"grad"})

    def init(self, x, f, g):
        """Nothing."""
        return ()

    def take(self, problem, x, f, g, d, memory):
        """The slope g.d, linear along d, is 0 at the step."""
        slope = tree.vdot(g, d)
        bend = tree.vdot(problem.grad(tree.add(x, d)), d) - slope
        step = -slope / jnp.where(bend > 0, bend, 1)
        x = tree.axpy(step, d, x)
        two = jnp.full((), 2, jnp.int32)
        out = LineSearchResult(x, f, problem.grad(x), step, 0 * two, two, bend > 0)
        return out, memory


def exact(direction: Any, n: int = 8) -> dict[str, tuple[Any, np.ndarray]]:
    """States of n steps with exact searches, and the Hessian, on five quadratics."""
    method, problems = Searched(direction, Exact()), instances.bowls(n, 100.0)
    return {k: (states(method, p, n), p.args[0]) for k, p in problems.items()}


def termination(direction: Any) -> dict[str, float]:
    """||g|| after these n steps over its first value."""
    sizes = {k: np.linalg.norm(v.g, axis=1) for k, (v, _) in exact(direction).items()}
    return {k: size[-1] / size[0] for k, size in sizes.items()}


def least_descent(methods: list[Any], problem: Any, steps: int) -> float:
    """The least -g.d / ||g||^2 of conjugate directions until g fell by 1e-8."""
    least = np.inf
    for method in methods:
        rows = states(method, problem, steps)
        g, d = (v.reshape(steps + 1, -1) for v in (rows.g, rows.known.d))
        square = np.sum(g**2, axis=1)
        counted = square > 1e-16 * square[0]
        share = -np.sum(g * d, axis=1)[counted] / square[counted]
        least = min(least, share.min())
    return float(least)
