"""A quadratic with jumps that cost, and the least weights that fit two equations."""

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, distance

from banach.kinds.structured.problem import Structured
from banach.terms.norms import L1, SquaredL2
from banach.terms.sets import Box

_rng = np.random.default_rng(11)
_half = _rng.standard_normal((4, 4)) / 2
_H = _half @ _half.T + 0.5 * np.eye(4)
_b = np.array([1.0, 1.3, -0.8, 2.0])
_D = np.diff(np.eye(4), axis=0)
_LAM = 0.6


def _quadratic(x, H, b):
    return x @ jnp.matmul(H, x, precision="highest") / 2 - b @ x


def _fused(kind=np.float64):
    zero = np.zeros(4, kind)
    values = np.linalg.eigvalsh(_H)
    return Structured(
        _quadratic, None, L1(kind(_LAM)), _D.astype(kind), zero,
        (_H.astype(kind), _b.astype(kind)), convex=True, quadratic=True,
        L=float(values[-1]) * (1 + 1e-6), mu=float(values[0]) * (1 - 1e-6),
        reference=zero,
    )  # fmt: skip


fused = _fused()


def _jumps(theta):
    """The one pattern of jumps whose multipliers agree."""
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=3):
        s = np.array(signs)
        flat = s == 0
        E = _D[flat]
        k = len(E)
        M = np.block([[_H, E.T], [E, np.zeros((k, k))]])
        right = np.concatenate([theta * _b - _LAM * _D.T @ s, np.zeros(k)])
        z = np.linalg.solve(M, right)
        x = z[:4]
        if np.all(abs(z[4:]) <= _LAM) and np.all((_D @ x * s)[~flat] > 0):
            return x
    raise AssertionError("a strongly convex problem has a solution")


_A = _rng.standard_normal((2, 4))
_c = np.array([1.0, -2.0])


def _fit(kind=np.float64):
    zero, c = np.zeros(4, kind), _c.astype(kind)
    return Structured(
        None, SquaredL2(kind(1.0)), Box(c, c), _A.astype(kind), zero, reference=zero
    )


least = _fit()


def _refitted(theta):
    where = lambda p: (p.h.lower, p.h.upper)  # noqa: E731
    return eqx.tree_at(where, least, (theta * _c, theta * _c))


def _least(theta):
    return np.linalg.pinv(_A) @ (theta * _c)


def _jumps_dual(theta):
    """Of K'y = -grad f(x); K' has full rank."""
    return np.linalg.lstsq(_D.T, theta * _b - _H @ _jumps(theta))[0]


def _least_dual(theta):
    return np.linalg.lstsq(_A.T, -_least(theta))[0]


def _poisoned():
    bad = _A.copy()
    bad[1, 2] = np.nan
    return eqx.tree_at(lambda p: p.K.entries, least, bad)


BEDS = [
    Bed(
        name="fused",
        file=__file__,
        problem=fused,
        moved=lambda t: eqx.tree_at(lambda p: p.f.args[1], fused, t * _b),
        poisoned=lambda: eqx.tree_at(lambda p: p.f.args[1], fused, np.nan * _b),
        narrow=lambda: _fused(np.float32),
        solution=_jumps,
        measures=distance(_jumps(1.0)),
        dual=_jumps_dual,
        derivative=False,
    ),
    Bed(
        name="least",
        file=__file__,
        problem=least,
        moved=_refitted,
        poisoned=_poisoned,
        narrow=lambda: _fit(np.float32),
        solution=_least,
        measures=distance(_least(1.0)),
        dual=_least_dual,
        derivative=False,
    ),
]
