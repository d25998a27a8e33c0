"""A ratio of three unknowns over its two largest: every pattern of it in NumPy."""

import itertools

import equinox as eqx
import numpy as np
from bed import Bed, gap

from banach.kinds.fractional.problem import Fractional

_rng = np.random.default_rng(3)
_A = _rng.standard_normal((6, 3))
_b = _A @ np.array([1.5, -1.0, 0.0]) + 0.3 * _rng.standard_normal(6)
_LAM, _K = 0.4, 2
_X0 = np.array([1.0, -0.5, 0.2])
small = np.float32
ratio = Fractional(_A, _b, _LAM, _K, _X0)


def _objective(x, theta=1.0):
    x = np.ravel(np.asarray(x, float))
    top = np.sum((_A @ x - theta * _b) ** 2) / 2 + _LAM * np.abs(x).sum()
    return float(top / np.sort(np.abs(x))[-_K:].sum())


def _solution(theta):
    """The best of all stationary points: signs, and which two are the largest.

    On the support H x = A'b - lam s + F t, t the signs of the largest; F is the root
    of numerator - F denominator, a parabola in F.
    """
    best, least = None, np.inf
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=3):
        s = np.array(signs)
        on = np.flatnonzero(s)
        if not on.size:
            continue
        for top in itertools.combinations(range(3), _K):
            t = np.where(np.isin(np.arange(3), top), s, 0)
            B = _A[:, on]
            H = np.linalg.inv(B.T @ B)
            fixed, free = H @ (B.T @ (theta * _b) - _LAM * s[on]), H @ t[on]

            def excess(F, B=B, fixed=fixed, free=free, s=s[on], t=t[on]):
                x = fixed + F * free
                top = np.sum((B @ x - theta * _b) ** 2) / 2 + _LAM * s @ x
                return top - F * (t @ x)

            c = np.polyfit([-1.0, 0.0, 1.0], [excess(F) for F in (-1.0, 0.0, 1.0)], 2)
            for F in np.roots(c):
                x = np.zeros(3)
                x[on] = fixed + np.real(F) * free
                if np.isreal(F) and np.any(x) and _objective(x, theta) < least:
                    best, least = x, _objective(x, theta)
    return best


def _poisoned():
    A = _A.copy()
    A[2, 1] = np.nan
    return eqx.tree_at(lambda p: p.A, ratio, A)


def _narrow():
    given = (v.astype(small) for v in (_A, _b))
    return Fractional(*given, small(_LAM), _K, _X0.astype(small))


BEDS = [
    Bed(
        name="ratio",
        file=__file__,
        problem=ratio,
        moved=lambda t: eqx.tree_at(lambda p: p.b, ratio, t * ratio.b),
        poisoned=_poisoned,
        narrow=_narrow,
        solution=_solution,
        measures=gap(_objective, _solution(1.0)),
        smooth_path=False,
    )
]
