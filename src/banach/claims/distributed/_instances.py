"""Logistic regressions spread over workers, each with its minimiser."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import tuned
from banach.kinds.distributed_sum.problem import DistributedSum
from banach.kinds.finite_sum.problem import FiniteSum
from banach.kinds.glm.models import LogisticRegression
from banach.methods.smooth.gradient_descent import GradientDescent


def logistic(
    A: Any, y: Any, workers: int, ridge: float, sort: bool = True, order: Any = None
) -> Any:
    """(Mean logistic loss plus ridge / 2 ||x||^2, its minimiser); y in {0, 1}.

    Sorted by label each worker sees one class or nearly so; else shuffled, or in order.
    """
    n = len(y)
    whole = LogisticRegression(A, y, ridge * n, intercept=False).as_finite_sum()
    if order is None:
        order = np.argsort(y, kind="stable")
    if not sort:
        order = np.random.default_rng(0).permutation(n)
    pieces = np.array_split(order, workers)
    L = workers / n * max(np.linalg.norm(A[p], 2) ** 2 for p in pieces) / 4 + ridge
    x = instances.logistic_minimiser(A, y, ridge)
    return DistributedSum(whole, workers, order=order, L=L), x


def tables() -> dict[str, Any]:
    """Four real tables of two classes and a drawn one."""
    return {**instances.tables(), "fresh": instances.drawn_table()}


def bent(A: Any, y: Any, workers: int, weight: float = 0.1) -> Any:
    """Mean logistic loss plus weight sum x_j^2 / (1 + x_j^2), not convex, by label."""
    n, signs = len(y), np.where(y > 0, 1.0, -1.0)

    def loss(x, d):
        a, sign = d
        return jnp.logaddexp(0, -sign * (a @ x)) + weight * jnp.sum(x**2 / (1 + x**2))

    order = np.argsort(y, kind="stable")
    pieces = np.array_split(order, workers)
    # The second derivative of the last term lies between -1/2 and 2.
    L = np.linalg.norm(A, 2) ** 2 / (4 * n) + 2 * weight
    steep = max(np.linalg.norm(A[p], 2) ** 2 for p in pieces) * workers / (4 * n)
    share = workers / n * max(map(len, pieces))
    whole = FiniteSum(loss, np.zeros(A.shape[1]), (A, signs), L=L)
    return DistributedSum(whole, workers, order=order, L=steep + share * 2 * weight)


def bits_to(problem: Any, method: Any, gap: Any, cap: int) -> float:
    """Bits that workers send until gap(problem, point) is 1e-6 of its first."""
    run = runs.until(problem, method, gap, 1e-6, cap)
    if not run.reached:
        return np.inf
    if not method.sent(problem, run.steps):  # plain gradient descent, all entries
        return 64.0 * problem.workers * run.steps * problem.size()
    return 8.0 * method.sent(problem, run.steps)["up"]


def over_descent(make: Any, grid: Any = None, workers: int = 8) -> dict[str, float]:
    """Bits to 1e-6 of F0 - F* over those of gradient descent, tables by label.

    make(problem, step); both steps are tuned in powers of two over L, or in `grid`.
    """
    found = {}
    for name, table in tables().items():
        problem, best = logistic(table[0], table[1], workers, 0.1)
        least, L = float(problem.value(best)), float(problem.facts().get("L"))
        gap = functools.partial(_above, least)
        plain = lambda _, step: GradientDescent(step, search=False)  # noqa: E731
        paid = [
            _cheapest(lambda s, m=m, p=problem: m(p, s), problem, gap, L, grid)
            for m in (make, plain)
        ]
        found[name] = paid[0] / paid[1]
    return found


def _cheapest(make: Any, problem: Any, gap: Any, L: float, grid: Any) -> float:
    if grid is not None:
        return min(bits_to(problem, make(s / L), gap, 99_999) for s in grid)
    tried = [2.0**j for j in range(-6, 5)]
    return tuned(tried, lambda s: bits_to(problem, make(s / L), gap, 2000))[1]


def _above(least: float, problem: Any, point: Any) -> Any:
    return problem.value(point.x) - least
