"""Linear systems whose solutions LU gives, and errors of runs on them."""

from typing import Any

import numpy as np

from banach.claims import runs
from banach.claims.course import fresh
from banach.kinds.linear import zoo
from banach.kinds.linear.problem import Linear
from banach.parts.grid_laplacians import obstacles, poisson_grid


def spectrum(values: Any, seed: int) -> Linear:
    """A dense system with these eigenvalues."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((len(values), len(values))))
    A = (Q * values) @ Q.T
    return Linear((A + A.T) / 2, rng.standard_normal(len(values)))


def poisson(n: int, seed: int | None) -> Linear:
    """On n x n around obstacles; None: without any."""
    solid = np.zeros((n, n), bool) if seed is None else obstacles(n, seed)
    side = zoo.right_side(solid, 1000 + n + (seed or 0))
    return Linear(poisson_grid(solid), side)


def rows(method: Any, steps: int) -> dict[str, tuple[Any, Any, float]]:
    """`errors` on dense systems, ridge regression and Poisson."""
    values = 10 ** np.sort(3 * np.random.default_rng(fresh()).random(60))
    systems = {
        "condition 100": spectrum(np.repeat(np.logspace(0, 2, 10), 6), 0),
        "condition 1e4": spectrum(np.logspace(0, 4, 60), 1),
        "fresh": spectrum(values, 2),
        "digits": zoo.load("linear:digits"),
        "poisson": poisson(24, 1),
    }
    return {name: errors(problem, method, steps) for name, problem in systems.items()}


def errors(problem: Linear, method: Any, steps: int) -> tuple[Any, Any, float]:
    """||x - x*|| after each step, by energy and by length, and the condition of A."""
    K = np.asarray(problem.matrix())
    best = np.linalg.solve(K, np.ravel(problem.b))
    e = runs.trace(problem, method, steps, x=runs.where)["x"] - best
    energy = np.sqrt(np.einsum("ti,ij,tj->t", e, K, e))
    return energy, np.linalg.norm(e, axis=1), float(np.linalg.cond(K))
