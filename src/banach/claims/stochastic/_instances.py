"""Logistic means of unit rows, and what methods pay on them in gradients of terms.

Rows are scaled to norm 1 and l2 = 1 / n, as experiments with variance reduction have
it (Schmidt, Le Roux and Bach 2017; Allen-Zhu 2017): L_max = 1/4 + l2 is that of every
term, and each term is l2-strongly convex.
"""

import functools
from typing import Any

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import tuned
from banach.kinds.glm.models import LogisticRegression
from banach.methods.smooth.lbfgs import Lbfgs
from banach.methods.stochastic.sgd import Sgd

TARGET, PASSES = 1e-6, 20


@functools.cache
def sums() -> dict[str, Any]:
    """Four real tables and a drawn one, no intercept; made once."""
    found = {}
    tables = {**instances.tables(), "fresh": instances.drawn_table()}
    for name, (A, y) in tables.items():
        A = A / np.linalg.norm(A, axis=1, keepdims=True)
        found[name] = LogisticRegression(A, y, 1.0, intercept=False).as_finite_sum()
    return found


def largest(problem: Any) -> float:
    """L_max, by the rows."""
    rows = np.sum(np.asarray(problem.data["a"]) ** 2, axis=1)
    return float(np.max(rows) / 4 + 1 / problem.n)


def best(problem: Any) -> tuple[np.ndarray, float]:
    """x* by Newton's method, and F(x*)."""
    A, y = (np.asarray(problem.data[k]) for k in "ay")
    x = instances.logistic_minimiser(A, y, 1 / problem.n)
    return x, float(problem.value(x))


def mean(problem: Any, method: Any, steps: int, watch: Any, **how: Any) -> Any:
    """What is watched, the mean of five seeds, at each look."""
    rows = [
        runs.trace(problem, method, steps, seed=s, seen=watch, **how)["seen"]
        for s in range(5)
    ]
    return np.mean(rows, axis=0)


def run(problem: Any, method: Any, steps: int, every: int) -> Any:
    """Passes spent (n gradients of terms each) and F - F* over its first, by look."""
    rows = runs.trace(problem, method, steps, every=every, f=runs.objective)
    spent = rows.get("stochastic_grad", 0) / problem.n + rows.get("grad", 0)
    far = rows["f"] - best(problem)[1]
    return spent, far / far[0]


def against_sgd(make: Any, grid: list[float]) -> dict[str, float]:
    """F - F* after PASSES, over that of SGD with decreasing steps; both tuned.

    `make(problem, s)` is a method of the step size s / L_max, how many steps make more
    than PASSES, and how often to look.
    """
    found = {}
    for name, problem in sums().items():
        L, n = largest(problem), problem.n

        def after(run: Any) -> float:
            spent, far = run
            return max(float(far[spent <= PASSES][-1]), 1e-12)

        def sgd(s: float, problem: Any = problem, L: float = L, n: int = n) -> float:
            method = Sgd(s / L, 1 / n / (2 * L), 1)
            return after(run(problem, method, PASSES * n, n))

        def own(s: float, problem: Any = problem) -> float:
            return after(run(problem, *make(problem, s)))

        rival = tuned([2.0**k for k in range(-6, 7, 2)], sgd)[1]
        found[name] = tuned(grid, own)[1] / rival
    return found


def against_lbfgs(make: Any, grid: list[float]) -> dict[str, float]:
    """Passes to TARGET of the first F - F*, the step tuned, over those of L-BFGS."""
    found = {}
    for name, problem in sums().items():

        def paid(run: Any) -> float:
            spent, far = run
            return (
                float(spent[np.argmax(far <= TARGET)]) if min(far) <= TARGET else np.inf
            )

        def own(s: float, problem: Any = problem) -> float:
            return paid(run(problem, *make(problem, s)))

        found[name] = tuned(grid, own)[1] / paid(run(problem, Lbfgs(10), PASSES, 1))
    return found
