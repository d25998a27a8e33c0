"""Three ridge regressions that share the penalties of their two coefficients."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, distance

from banach.kinds.bilevel.problem import Bilevel

_rng = np.random.default_rng(5)
_M, _N = 3, 6
_A, _C = (_rng.standard_normal((_M, _N, 2)) for _ in range(2))
_truth = _rng.standard_normal((_M, 2)) * np.array([1.5, 0.4])
_b, _d = (
    np.einsum("mnp,mp->mn", W, _truth) + 0.5 * _rng.standard_normal((_M, _N))
    for W in (_A, _C)
)
_X0 = np.array([2.5, -3.0])


def _upper(x, y, row):
    a, b = row
    return (a @ y - b) ** 2 / 2 + jnp.sum(x**2) / 20


def _lower(x, y, row):
    a, b = row
    return (a @ y - b) ** 2 / 2 + jnp.sum(jnp.exp(x) * y**2) / 2


def _stated(dtype=np.float64):
    return Bilevel(
        _upper,
        _lower,
        _X0.astype(dtype),
        np.zeros((_M, 2), dtype),
        upper_rows=(_C.astype(dtype), _d.astype(dtype)),
        lower_rows=(_A.astype(dtype), _b.astype(dtype)),
        blocks=True,
        lower_strongly_convex=True,
    )


ridges = _stated()


def _targets(p):
    return p.upper_rows[1], p.lower_rows[1]


def _moved(theta):
    return eqx.tree_at(_targets, ridges, (theta * _d, theta * _b))


def _poisoned():
    b = _b.copy()
    b[1, 2] = np.nan
    return eqx.tree_at(lambda p: p.lower_rows[1], ridges, b)


def _hypergradient(x, theta):
    """The gradient of Phi by the closed form of the ridges, and y*(x)."""
    g, ys = x / 10, []
    for i in range(_M):
        H = _A[i].T @ _A[i] / _N + np.diag(np.exp(x))
        y = np.linalg.solve(H, _A[i].T @ (theta * _b[i]) / _N)
        v = np.linalg.solve(H, _C[i].T @ (_C[i] @ y - theta * _d[i]) / _N)
        g = g - np.exp(x) * y * v / _M
        ys.append(y)
    return g, np.array(ys)


def _newton(theta):
    x, h = np.zeros(2), 1e-5
    for _ in range(60):
        J = [
            (_hypergradient(x + h * e, theta)[0] - _hypergradient(x - h * e, theta)[0])
            / (2 * h)
            for e in np.eye(2)
        ]
        step = np.linalg.solve(np.array(J), _hypergradient(x, theta)[0])
        x = x - step * min(1, 0.5 / np.linalg.norm(step))
    return x, _hypergradient(x, theta)[1]


BEDS = [
    Bed(
        name="ridges",
        file=__file__,
        problem=ridges,
        moved=_moved,
        poisoned=_poisoned,
        narrow=lambda: _stated(np.float32),
        solution=_newton,
        measures=distance(_newton(1.0)),
    )
]
