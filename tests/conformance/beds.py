"""The problems that every method meets, with answers that no method of ours found.

`logistic`, `lasso`, `simplex` and `rosenbrock` are also loaded as file.py:object, so
that runs on them can be saved. Each has one parameter theta (1 as stated), by which
data, solution and derivative move.
"""

from types import SimpleNamespace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from banach.core.problem import Problem
from banach.problems.glm_models import (
    Lasso,
    LogisticRegression,
    SimplexLeastSquares,
)
from banach.problems.smooth import Smooth

_rng = np.random.default_rng(11)
_A = _rng.standard_normal((40, 5)) * np.array([1.0, 0.8, 0.5, 0.3, 0.2])
_y = np.where(_A @ np.ones(5) + _rng.standard_normal(40) > 0, 1.0, -1.0)
_B = _rng.standard_normal((30, 8))
_b = _B @ np.array([1.0, -2.0, 0, 0, 0.5, 0, 0, 3.0]) + 0.1 * _rng.standard_normal(30)
_mix = _B @ np.array([0.5, 0, 0.3, 0, 0.2, 0, 0, 0]) + 0.3 * _rng.standard_normal(30)
_L2, _LAM = 0.7, 6.0


def _valley(x, c):
    a, b = x["a"], x["b"]
    return jnp.sum(100 * (b - a**2) ** 2 + (c - a) ** 2)


logistic = LogisticRegression(_A, _y, _L2, intercept=False)
lasso = Lasso(_B, _b, _LAM)
simplex = SimplexLeastSquares(_B, _mix)
_X0 = {"a": np.array([-1.2, 0.5]), "b": np.array([1.0, 1.0])}
rosenbrock = Smooth(_valley, _X0, (np.array(1.0),), reference=_X0)
NAMES = ("logistic", "lasso", "simplex", "rosenbrock")
PROBLEMS: dict[str, Problem] = {name: globals()[name] for name in NAMES}


def moved(name: str, theta: Any) -> Problem:
    """The problem with targets (matrix for logistic) multiplied by theta."""
    problem = PROBLEMS[name]
    if name == "rosenbrock":
        return eqx.tree_at(lambda p: p.args, problem, (theta * problem.args[0],))
    if name == "logistic":
        return eqx.tree_at(lambda p: p.A, problem, theta * problem.A)
    return eqx.tree_at(lambda p: p.y, problem, theta * problem.y)


def poisoned(name: str) -> Problem:
    """The problem with one number of its data replaced by NaN."""
    problem = PROBLEMS[name]
    if name == "rosenbrock":
        return eqx.tree_at(lambda p: p.args, problem, (np.array(np.nan),))
    A = problem.A.copy()
    A[3, 2] = np.nan
    return eqx.tree_at(lambda p: p.A, problem, A)


def narrow(name: str) -> Problem:
    """The problem in float32."""
    small = np.float32
    if name == "logistic":
        return LogisticRegression(_A.astype(small), _y, small(_L2), intercept=False)
    if name == "lasso":
        return Lasso(_B.astype(small), _b.astype(small), small(_LAM))
    if name == "simplex":
        return SimplexLeastSquares(_B.astype(small), _mix.astype(small))
    x0 = jax.tree.map(lambda v: v.astype(small), _X0)
    return Smooth(_valley, x0, (np.array(1.0, small),), reference=x0)


def solution(name: str, theta: float = 1.0) -> Any:
    """The minimiser, by a NumPy algorithm that is finite or of second order."""
    if name == "rosenbrock":
        one = np.full(2, theta)
        return {"a": one, "b": one**2}
    if name == "logistic":
        return _newton(theta * _A)
    if name == "lasso":
        return _signs(theta * _b)
    return _supports(theta * _mix)


def _newton(A):
    x = np.zeros(5)
    for _ in range(60):
        s = 1 / (1 + np.exp(_y * (A @ x)))
        g = _L2 * x - A.T @ (_y * s)
        H = _L2 * np.eye(5) + (A.T * (s * (1 - s))) @ A
        x = x - np.linalg.solve(H, g)
    return x


def _signs(b):
    """Coordinate descent finds the signs; the linear system of these is exact."""
    x = np.zeros(8)
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


def _supports(b):
    """The best feasible solution of the equalities of one support."""
    H, c = _B.T @ _B, _B.T @ b
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


def objective(name: str, x: Any) -> float:
    """The whole objective in NumPy, less a constant."""
    if name == "rosenbrock":
        a, b = x["a"], x["b"]
        return float(np.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2))
    if name == "logistic":
        return float(np.logaddexp(0, -_y * (_A @ x)).sum() + _L2 / 2 * x @ x)
    if name == "lasso":
        return float(np.sum((_B @ x - _b) ** 2) / 2 + _LAM * np.abs(x).sum())
    return float(np.sum((_B @ x - _mix) ** 2) / 2)


def constants(name: str, start: Any) -> SimpleNamespace | None:
    """L, mu and the true distance from the start; None for a nonconvex problem."""
    if name == "rosenbrock":
        return None
    A = _A / 2 if name == "logistic" else _B
    values = np.linalg.eigvalsh(A.T @ A)
    ridge = _L2 if name == "logistic" else 0.0
    return SimpleNamespace(
        L=values[-1] + ridge,
        mu=ridge or values[0],
        radius=float(np.linalg.norm(start - solution(name))),
    )
