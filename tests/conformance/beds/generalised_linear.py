"""Logistic regression, the Lasso, and least squares over the simplex."""

from types import SimpleNamespace

import equinox as eqx
import numpy as np
from bed import Bed, gap

from banach.kinds.glm.models import (
    Lasso,
    LogisticRegression,
    SimplexLeastSquares,
)

_rng = np.random.default_rng(11)
_A = _rng.standard_normal((40, 5)) * np.array([1.0, 0.8, 0.5, 0.3, 0.2])
_y = np.where(_A @ np.ones(5) + _rng.standard_normal(40) > 0, 1.0, -1.0)
_B = _rng.standard_normal((30, 8))
_b = _B @ np.array([1.0, -2.0, 0, 0, 0.5, 0, 0, 3.0]) + 0.1 * _rng.standard_normal(30)
_mix = _B @ np.array([0.5, 0, 0.3, 0, 0.2, 0, 0, 0]) + 0.3 * _rng.standard_normal(30)
_L2, _LAM = 0.7, 6.0
_small = np.float32

logistic = LogisticRegression(_A, _y, _L2, intercept=False)
lasso = Lasso(_B, _b, _LAM)
simplex = SimplexLeastSquares(_B, _mix)


def _targets_moved(problem):
    return lambda theta: eqx.tree_at(lambda p: p.y, problem, theta * problem.y)


def _poisoned(problem):
    def poison():
        A = problem.A.copy()
        A[3, 2] = np.nan
        return eqx.tree_at(lambda p: p.A, problem, A)

    return poison


def _newton(theta):
    A, x = theta * _A, np.zeros(5)
    for _ in range(60):
        s = 1 / (1 + np.exp(_y * (A @ x)))
        g = _L2 * x - A.T @ (_y * s)
        H = _L2 * np.eye(5) + (A.T * (s * (1 - s))) @ A
        x = x - np.linalg.solve(H, g)
    return x


def _signs(theta):
    """Coordinate descent finds the signs; the linear system of these is exact."""
    b, x = theta * _b, np.zeros(8)
    H, c = _B.T @ _B, _B.T @ b
    for _ in range(2000):
        for j in range(8):
            r = c[j] - H[j] @ x + H[j, j] * x[j]
            x[j] = np.sign(r) * max(abs(r) - _LAM, 0) / H[j, j]
    on, s = x != 0, np.sign(x)
    x = np.zeros(8)
    x[on] = np.linalg.solve(H[np.ix_(on, on)], c[on] - _LAM * s[on])
    assert np.all(np.sign(x) == s) and np.all(np.abs(c - H @ x) <= _LAM * (1 + 1e-12))
    return x


def _supports(theta):
    """The best feasible solution of the equalities of one support."""
    H, c = _B.T @ _B, _B.T @ (theta * _mix)
    best, least = None, np.inf
    for mask in range(1, 256):
        on = np.array([mask >> j & 1 for j in range(8)], bool)
        k = on.sum()
        K = np.block([[H[np.ix_(on, on)], np.ones((k, 1))], [np.ones((1, k)), 0.0]])
        part = np.linalg.solve(K, np.append(c[on], 1.0))[:k]
        if np.any(part < 0):
            continue
        x = np.zeros(8)
        x[on] = part
        f = x @ H @ x / 2 - c @ x
        if f < least:
            best, least = x, f
    return best


def _loss(x):
    return float(np.logaddexp(0, -_y * (_A @ x)).sum() + _L2 / 2 * x @ x)


def _lasso_objective(x):
    return float(np.sum((_B @ x - _b) ** 2) / 2 + _LAM * np.abs(x).sum())


def _simplex_objective(x):
    return float(np.sum((_B @ x - _mix) ** 2) / 2)


def _constants(matrix, ridge, best):
    """L, mu and the true distance from the start."""
    values = np.linalg.eigvalsh(matrix.T @ matrix)

    def of(start):
        return SimpleNamespace(
            L=values[-1] + ridge,
            mu=ridge or values[0],
            radius=float(np.linalg.norm(start - best)),
        )

    return of


BEDS = [
    Bed(
        name="logistic",
        file=__file__,
        problem=logistic,
        moved=lambda theta: eqx.tree_at(lambda p: p.A, logistic, theta * logistic.A),
        poisoned=_poisoned(logistic),
        narrow=lambda: LogisticRegression(
            _A.astype(_small), _y, _small(_L2), intercept=False
        ),
        solution=_newton,
        measures=gap(_loss, _newton(1.0)),
        constants=_constants(_A / 2, _L2, _newton(1.0)),
    ),
    Bed(
        name="lasso",
        file=__file__,
        problem=lasso,
        moved=_targets_moved(lasso),
        poisoned=_poisoned(lasso),
        narrow=lambda: Lasso(_B.astype(_small), _b.astype(_small), _small(_LAM)),
        solution=_signs,
        measures=gap(_lasso_objective, _signs(1.0)),
        constants=_constants(_B, 0.0, _signs(1.0)),
    ),
    Bed(
        name="simplex",
        file=__file__,
        problem=simplex,
        moved=_targets_moved(simplex),
        poisoned=_poisoned(simplex),
        narrow=lambda: SimplexLeastSquares(_B.astype(_small), _mix.astype(_small)),
        solution=_supports,
        measures=gap(_simplex_objective, _supports(1.0)),
        constants=_constants(_B, 0.0, _supports(1.0)),
    ),
]
