"""A logistic mean over four workers of unequal shards, sorted by label."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, gap

from banach.kinds.distributed_sum.problem import DistributedSum
from banach.kinds.finite_sum.problem import FiniteSum

_rng = np.random.default_rng(8)
_n, _W = 22, 4
_A = _rng.standard_normal((_n, 3)) + 0.3
_y = np.where(_A[:, 0] - _A[:, 1] + 0.5 * _rng.standard_normal(_n) > 0, 1.0, -1.0)
_order = np.argsort(_y, kind="stable")
_L2 = 0.2
# l'' <= 1/4 and the Frobenius norm bounds the spectral one, for every shard.
_L = _L2 + max(
    0.25 * _W / _n * np.sum(_A[piece] ** 2) for piece in np.array_split(_order, _W)
)


def _loss(x, d):
    a, y = d
    return jnp.logaddexp(0.0, -y * (a @ x))


def _stated(dtype, L=_L):
    whole = FiniteSum(
        _loss,
        np.zeros(3, dtype),
        (_A.astype(dtype), _y.astype(dtype)),
        l2=dtype(_L2),
        convex=True,
        L=dtype(L),
        reference=np.zeros(3, dtype),
    )
    return DistributedSum(whole, _W, order=_order, L=dtype(_L))


four_workers = _stated(np.float64)


def _moved(theta):
    data = four_workers.padded.data[0]
    moved = eqx.tree_at(lambda p: p.padded.data[0], four_workers, theta * data)
    return eqx.tree_at(lambda p: (p.padded.L, p.L), moved, (2 * _L, 2 * _L))


def _poisoned():
    A = four_workers.padded.data[0].copy()
    A[3, 1] = np.nan
    return eqx.tree_at(lambda p: p.padded.data[0], four_workers, A)


def _solution(theta):
    A, x = theta * _A, np.zeros(3)
    for _ in range(60):
        s = 1 / (1 + np.exp(_y * (A @ x)))
        g = _L2 * x - A.T @ (_y * s) / _n
        H = _L2 * np.eye(3) + (A.T * (s * (1 - s))) @ A / _n
        x = x - np.linalg.solve(H, g)
    return x


def _objective(x):
    x = np.asarray(x)
    return float(np.mean(np.logaddexp(0, -_y * (_A @ x))) + _L2 / 2 * x @ x)


BEDS = [
    Bed(
        name="four_workers",
        file=__file__,
        problem=four_workers,
        moved=_moved,
        poisoned=_poisoned,
        narrow=lambda: _stated(np.float32),
        solution=_solution,
        measures=gap(_objective, _solution(1.0)),
    )
]
