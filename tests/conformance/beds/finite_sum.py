"""A logistic mean over two-dimensional data, with its terms at hand."""

from types import SimpleNamespace

import equinox as eqx
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
    )
]
