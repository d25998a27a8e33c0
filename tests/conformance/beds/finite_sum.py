"""Means of terms at hand: a logistic one, and a regression on a matrix."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from bed import Bed, gap

from banach.kinds.finite_sum.problem import FiniteSum

_rng = np.random.default_rng(5)
_n = 24
_A = _rng.standard_normal((_n, 2)) + 0.5
_y = np.where(_A[:, 0] - _A[:, 1] + 0.5 * _rng.standard_normal(_n) > 0, 1.0, -1.0)
_L2 = 0.1
_small = np.float32


def _loss(x, d):
    a, y = d
    return jnp.logaddexp(0.0, -y * (a @ x))


# l'' <= 1/4, and the Frobenius norm bounds the spectral one.
_L = 0.25 * np.sum(_A**2) / _n + _L2
_settings = dict(l2=_L2, convex=True, L=_L, reference=np.zeros(2))
mean_logistic = FiniteSum(_loss, np.zeros(2), (_A, _y), **_settings)


def _moved(theta):
    def data(p):
        return p.data[0]

    problem = eqx.tree_at(data, mean_logistic, theta * mean_logistic.data[0])
    return eqx.tree_at(lambda p: p.L, problem, 2 * mean_logistic.L)


def _poisoned():
    A = _A.copy()
    A[3, 1] = np.nan
    return eqx.tree_at(lambda p: p.data[0], mean_logistic, A)


def _narrow():
    small = {
        k: np.asarray(v, _small) if isinstance(v, np.ndarray | float) else v
        for k, v in _settings.items()
    }
    data = (_A.astype(_small), _y.astype(_small))
    return FiniteSum(_loss, np.zeros(2, _small), data, **small)


def _solution(theta):
    A, x = theta * _A, np.zeros(2)
    for _ in range(60):
        s = 1 / (1 + np.exp(_y * (A @ x)))
        g = _L2 * x - A.T @ (_y * s) / _n
        H = _L2 * np.eye(2) + (A.T * (s * (1 - s))) @ A / _n
        x = x - np.linalg.solve(H, g)
    return x


def _objective(x):
    x = np.asarray(x)
    return float(np.mean(np.logaddexp(0, -_y * (_A @ x))) + _L2 / 2 * x @ x)


def _constants(start):
    best = _solution(1.0)
    radius = float(np.linalg.norm(np.asarray(start) - best))
    return SimpleNamespace(L=float(_L), mu=_L2, radius=radius)


# Two targets at once: the unknowns are one matrix. Alike in scale, so that steps of
# one length in every direction get somewhere.
_Y = _A @ np.array([[1.0, -0.5], [0.3, 0.8]]) + 0.3 * _rng.standard_normal((_n, 2))


def _squares(X, d):
    a, y = d
    return jnp.sum((a @ X - y) ** 2) / 2


def _fitted(A, Y, kind=np.float64):
    A, Y, zero = A.astype(kind), Y.astype(kind), np.zeros((2, 2), kind)
    L = kind(np.linalg.norm(A, 2) ** 2 / _n + _L2)
    settings = dict(l2=kind(_L2), convex=True, L=L, reference=zero)
    return FiniteSum(_squares, zero, (A, Y), **settings)


matrix_regression = _fitted(_A, _Y)


def _matrix_moved(theta):
    data = jax.tree.map(lambda v: theta * v, matrix_regression.data)
    problem = eqx.tree_at(lambda p: p.data, matrix_regression, data)
    return eqx.tree_at(lambda p: p.L, problem, 2 * matrix_regression.L)


def _matrix_poisoned():
    A = _A.copy()
    A[3, 1] = np.nan
    return eqx.tree_at(lambda p: p.data[0], matrix_regression, A)


def _matrix_solution(theta):
    A, Y = theta * _A, theta * _Y
    return np.linalg.solve(A.T @ A / _n + _L2 * np.eye(2), A.T @ Y / _n)


def _matrix_objective(X):
    X = np.asarray(X)
    return float(np.sum((_A @ X - _Y) ** 2) / (2 * _n) + _L2 / 2 * np.sum(X**2))


def _matrix_constants(start):
    radius = float(np.linalg.norm(np.asarray(start) - _matrix_solution(1.0)))
    L = float(np.linalg.norm(_A, 2) ** 2 / _n + _L2)
    return SimpleNamespace(L=L, mu=_L2, radius=radius)


BEDS = [
    Bed(
        name="mean_logistic",
        file=__file__,
        problem=mean_logistic,
        moved=_moved,
        poisoned=_poisoned,
        narrow=_narrow,
        solution=_solution,
        measures=gap(_objective, _solution(1.0)),
        constants=_constants,
    ),
    Bed(
        name="matrix_regression",
        file=__file__,
        problem=matrix_regression,
        moved=_matrix_moved,
        poisoned=_matrix_poisoned,
        narrow=lambda: _fitted(_A, _Y, _small),
        solution=_matrix_solution,
        measures=gap(_matrix_objective, _matrix_solution(1.0)),
        constants=_matrix_constants,
    ),
]
