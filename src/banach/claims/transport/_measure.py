"""What the claims of this family look at, and an exact solver whose work is counted."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from banach.claims import runs


def marginal_error(problem: Any, point: Any) -> Any:
    """||P 1 - a||_1 + ||P' 1 - b||_1, at most 1e6: P of a far point overflows."""
    r, c = problem.sums(point.x)
    off = jnp.sum(jnp.abs(r - problem.a)) + jnp.sum(jnp.abs(c - problem.b))
    return jnp.minimum(off, 1e6)


def until(problem: Any, method: Any, error: float, cap: int) -> runs.Reached:
    """A run to a marginal error."""
    return runs.until(problem, method, marginal_error, error, cap, relative=False)


def plan(problem: Any, method: Any, steps: int) -> np.ndarray:
    """P after so many steps."""
    rows = runs.trace(problem, method, steps, every=steps, P=_plan)
    return rows["P"][-1]


def _plan(problem, point):
    return problem.plan(point.x)


def augmenting_passes(C: np.ndarray) -> float:
    """Passes over C in which shortest augmenting paths assign; SciPy's optimum."""
    n, looked = len(C), 0
    u, v = np.zeros((2, n))
    row_of, column_of = np.full((2, n), -1)
    for free in range(n):
        short, back = np.full(n, np.inf), np.full(n, -1)
        done, i, low = np.zeros(n, bool), free, 0.0
        while i >= 0:
            cost = low + C[i] - u[i] - v
            better = ~done & (cost < short)
            short[better], back[better], looked = cost[better], i, looked + n
            j = np.argmin(np.where(done, np.inf, short))
            low, done[j], i = short[j], True, row_of[j]
        up, met = np.where(done, low - short, 0), done & (row_of >= 0)
        v -= up
        u[row_of[met]] += up[met]
        u[free] += low
        while j >= 0:
            row_of[j] = back[j]
            column_of[back[j]], j = j, column_of[back[j]]
    best = C[linear_sum_assignment(C)].sum()
    np.testing.assert_allclose(C[row_of, np.arange(n)].sum(), best, rtol=1e-12)
    return looked / C.size
