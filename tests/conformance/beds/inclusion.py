"""Finite sums: cocoercive over a box, and merely monotone, a bilinear saddle."""

import itertools
from types import SimpleNamespace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, distance

from banach.kinds.inclusion.problem import Inclusion, saddle
from banach.terms.sets import Box

_rng = np.random.default_rng(7)
_N, _D = 6, 4
_half = _rng.standard_normal((_N, _D, _D)) / 2
_skew = _rng.standard_normal((_N, _D, _D)) / 2
_M = _half @ _half.swapaxes(1, 2) + _skew - _skew.swapaxes(1, 2) + 0.2 * np.eye(_D)
_Q = _rng.standard_normal((_N, _D)) + np.array([3.0, -3, 0.3, -0.3])
_mean, _square = _M.mean(0), np.einsum("nij,nik->jk", _M, _M) / _N
_SIDE = 0.75


def _least(square):
    """The largest beta with sym(mean) - beta square positive semidefinite."""
    half = np.linalg.inv(np.linalg.cholesky(square))
    return float(np.linalg.eigvalsh(half @ (_mean + _mean.T) @ half.T / 2)[0])


_SAFE = 1 - 1e-6
_KNOWN = dict(
    cocoercive=_SAFE * _least(_mean.T @ _mean),
    cocoercive_average=_SAFE * _least(_square),
    L=np.linalg.norm(_mean, 2) / _SAFE,
    mu=_SAFE * float(np.linalg.eigvalsh(_mean + _mean.T)[0] / 2),
)


def _affine(z, datum):
    M, q = datum
    return jnp.matmul(M, z, precision="highest") + q


def _boxed(kind=np.float64):
    data = (_M.astype(kind), _Q.astype(kind))
    zero = np.zeros(_D, kind)
    term = Box(kind(-_SIDE), kind(_SIDE))
    return Inclusion(_affine, zero, data, term=term, reference=zero, **_KNOWN)


cocoercive = _boxed()


def _faces(theta):
    """The one active set whose linear system and multipliers agree."""
    q = theta * _Q.mean(0)
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=_D):
        s = np.array(signs)
        z, free = _SIDE * s, s == 0
        rest = -q[free] - _mean[np.ix_(free, ~free)] @ z[~free]
        z[free] = np.linalg.solve(_mean[np.ix_(free, free)], rest)
        F = _mean @ z + q
        if np.all(abs(z) <= _SIDE) and np.all(F * s <= 0):
            return z
    raise AssertionError("a strongly monotone inequality has a solution")


def _step_residual(t):
    def residual(z):
        after = np.clip(z - t * (_mean @ z + _Q.mean(0)), -_SIDE, _SIDE)
        return float(np.linalg.norm(z - after) / t)

    return residual


def _gap(z):
    F = _mean @ z + _Q.mean(0)
    return float(F @ z + _SIDE * np.abs(F).sum())


def _of_start(best, **constants):
    def of(start):
        leaves = [np.ravel(v) for v in (start if isinstance(start, tuple) else [start])]
        radius = float(np.linalg.norm(np.concatenate(leaves) - best))
        return SimpleNamespace(radius=radius, **constants)

    return of


_HALPERN = "||z - J_s(z - s F(z))|| / s, s = 2 beta"
_EXTRA = "least ||z - J_s(z - s F(z))|| / s, s = 1 / (sqrt(2) L)"

# x'By + b'x - c'y with B far from singular: z* = (B^-T c, -B^-1 b).
_B = _rng.standard_normal((_N, 2, 2)) / 2 + np.array([[2.0, 0.5], [-0.5, 1.5]])
_b, _c = _rng.standard_normal((2, _N, 2)) + np.array([1.0, -1.0])
_grid = np.stack([np.block([[0 * B, B], [-B.T, 0 * B]]) for B in _B])
_field = _grid.mean(0)
_CONSTANTS = dict(
    L=np.linalg.norm(_field, 2) / _SAFE,
    L_average=np.linalg.norm(np.einsum("nij,nik->jk", _grid, _grid) / _N, 2) ** 0.5
    / _SAFE,
)  # fmt: skip


def _phi(x, y, datum):
    B, b, c = datum
    return x @ jnp.matmul(B, y, precision="highest") + b @ x - c @ y


def _game(kind=np.float64):
    data = tuple(v.astype(kind) for v in (_B, _b, _c))
    zero = np.zeros(2, kind)
    start = (zero, zero)
    return saddle(_phi, zero, zero, data, monotone=True, reference=start, **_CONSTANTS)


bilinear = _game()


def _turned(theta):
    B = _B.mean(0)
    x = np.linalg.solve(B.T, theta * _c.mean(0))
    return x, -np.linalg.solve(B, theta * _b.mean(0))


def _shifted(theta):
    where = lambda p: p.data[1:]  # noqa: E731
    return eqx.tree_at(where, bilinear, tuple(theta * v for v in where(bilinear)))


def _field_norm(z):
    x, y = z
    B, b, c = (v.mean(0) for v in (_B, _b, _c))
    return float(np.hypot(np.linalg.norm(B @ y + b), np.linalg.norm(c - B.T @ x)))


def _poisoned(problem):
    def poison():
        first = problem.data[0].copy()
        first[3, 1, 0] = np.nan
        return eqx.tree_at(lambda p: p.data[0], problem, first)

    return poison


BEDS = [
    Bed(
        name="cocoercive",
        file=__file__,
        problem=cocoercive,
        moved=lambda theta: eqx.tree_at(lambda p: p.data[1], cocoercive, theta * _Q),
        poisoned=_poisoned(cocoercive),
        narrow=lambda: _boxed(np.float32),
        solution=_faces,
        measures=distance(_faces(1.0))
        | {
            "max <F(z),z-v>": _gap,
            _HALPERN: _step_residual(2 * _KNOWN["cocoercive"]),
            _EXTRA: _step_residual(0.5**0.5 / _KNOWN["L"]),
        },
        constants=_of_start(
            _faces(1.0), L=_KNOWN["L"], cocoercive=_KNOWN["cocoercive"]
        ),
    ),
    Bed(
        name="bilinear",
        file=__file__,
        problem=bilinear,
        moved=_shifted,
        poisoned=_poisoned(bilinear),
        narrow=lambda: _game(np.float32),
        solution=_turned,
        measures=distance(_turned(1.0)) | {_EXTRA: _field_norm},
        constants=_of_start(np.concatenate(_turned(1.0)), L=_CONSTANTS["L"]),
    ),
]
