"""Logistic means of unit rows, and what methods pay on them in gradients of terms.

Rows are scaled to norm 1 and l2 = 1 / n, as experiments with variance reduction have
it (Schmidt, Le Roux and Bach 2017; Allen-Zhu 2017): L_max = 1/4 + l2 is that of every
term, and each term is l2-strongly convex.
"""

import functools
from typing import Any

import jax
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import tuned
from banach.kinds.finite_sum.problem import FiniteSum
from banach.kinds.glm.models import LogisticRegression
from banach.methods.smooth.lbfgs import Lbfgs
from banach.methods.stochastic.sgd import Sgd

TARGET, PASSES = 1e-6, 20


@functools.cache
def sums(times: float = 1.0) -> dict[str, Any]:
    """Four real tables and a drawn one, no intercept, l2 = times / n; made once."""
    found = {}
    tables = {**instances.tables(), "fresh": instances.drawn_table()}
    for name, (A, y) in tables.items():
        A = A / np.linalg.norm(A, axis=1, keepdims=True)
        found[name] = LogisticRegression(A, y, times, intercept=False).as_finite_sum()
    return found


def largest(problem: Any) -> float:
    """L_max, by the rows."""
    rows = np.sum(np.asarray(problem.data["a"]) ** 2, axis=1)
    return float(np.max(rows) / 4 + float(problem.facts().mu))


def best(problem: Any) -> tuple[np.ndarray, float]:
    """x* by Newton's method, and F(x*)."""
    A, y = (np.asarray(problem.data[k]) for k in "ay")
    x = instances.logistic_minimiser(A, y, float(problem.facts().mu))
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


def after(run: Any) -> float:
    """F - F* over its first at the last look within PASSES; 1e-12 is as good as 0."""
    spent, far = run
    return max(float(far[spent <= PASSES][-1]), 1e-12)


@functools.cache
def sgd() -> dict[str, float]:
    """`after` of SGD with decreasing steps, tuned."""
    found = {}
    for name, problem in sums().items():
        L, mu = largest(problem), 1 / problem.n

        def far(s: float, p: Any = problem, L: float = L, mu: float = mu) -> float:
            return after(run(p, Sgd(s / L, mu / (2 * L), 1), PASSES * p.n, p.n))

        found[name] = tuned([2.0**k for k in range(-6, 7, 2)], far)[1]
    return found


def against_sgd(make: Any, grid: list[float]) -> dict[str, float]:
    """F - F* after PASSES over that of SGD; both tuned.

    `make(problem, s)` is a method of the step size s / L_max, how many steps make more
    than PASSES, and how often to look.
    """

    def far(problem: Any) -> float:
        return tuned(grid, lambda s: after(run(problem, *make(problem, s))))[1]

    return {name: far(p) / sgd()[name] for name, p in sums().items()}


def reached(run: Any) -> float:
    """Passes to TARGET, or infinity."""
    spent, far = run
    return float(spent[np.argmax(far <= TARGET)]) if min(far) <= TARGET else np.inf


def paid(problem: Any, make: Any, grid: list[float]) -> float:
    """Passes to TARGET of the first F - F*, the step tuned; `make` as above."""

    return tuned(grid, lambda s: reached(run(problem, *make(problem, s))))[1]


def passes(make: Any, grid: list[float], times: float = 1.0) -> dict[str, float]:
    """What is paid on each of `sums(times)`."""
    return {name: paid(problem, make, grid) for name, problem in sums(times).items()}


def over_lbfgs(own: dict[str, float]) -> dict[str, float]:
    """Passes to TARGET over those of L-BFGS."""
    every = {name: run(p, Lbfgs(10), 100, 1) for name, p in sums().items()}
    return {name: own[name] / reached(whole) for name, whole in every.items()}


# Of the sigmoid: the largest |s''|, of s = 1 / (1 + e^z); |s'| is at most 1/4.
BENT = 1 / (6 * np.sqrt(3))


@functools.cache
def sigmoids() -> dict[str, Any]:
    """Nonconvex means of 1 / (1 + exp(y <a, x>)) of the same rows, 200 at most.

    Every term has F* >= 0, gradients of norm up to 1/4 and a gradient that is
    BENT-Lipschitz: what proofs of stochastic methods ask for holds everywhere.
    """

    def term(x: Any, d: Any) -> Any:
        return jax.nn.sigmoid(-d["y"] * (d["a"] @ x))

    found = {}
    tables = {**instances.tables(), "fresh": instances.drawn_table()}
    for name, (A, y) in tables.items():
        at = np.random.default_rng(7).permutation(len(A))[:200]
        A = A[at] / np.linalg.norm(A[at], axis=1, keepdims=True)
        data = {"a": A, "y": np.where(y[at] > 0, 1.0, -1.0)}
        found[name] = FiniteSum(term, np.zeros(A.shape[1]), data, L=BENT)
    return found
