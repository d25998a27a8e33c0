"""Elementary functions on intervals from point values with a stated accuracy.

A point evaluator maps (name, x) to floats (lo, hi) with lo <= f(x) <= hi. The
default trusts NumPy (and the C library for erf) to 4 units in the last place, which
is what `rigor="libm"` means; `rigor="arb"` proves the digits with python-flint.
"""

import math
from collections.abc import Callable

import numpy as np

from banach.checks.interval import arithmetic as ar
from banach.checks.interval.arithmetic import Interval

Points = Callable[[str, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _each(f: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    def apply(x):
        flat = [f(float(v)) if math.isfinite(v) else math.nan for v in x.ravel()]
        return np.array(flat, np.float64).reshape(x.shape)

    return apply


_POINT = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "erf": _each(math.erf),
    "erfc": _each(math.erfc),
}
# glibc documents up to 5 ulp for erfc, unlike the others.
_ULPS = {"erfc": 8}
_RANGE = {
    "exp": (0, np.inf),
    "exp2": (0, np.inf),
    "expm1": (-1, np.inf),
    "tanh": (-1, 1),
    "sin": (-1, 1),
    "cos": (-1, 1),
    "erf": (-1, 1),
    "erfc": (0, 2),
    "cosh": (1, np.inf),
    "acosh": (0, np.inf),
}
INCREASING = (
    "exp exp2 expm1 log log1p tanh asin atan sinh asinh acosh atanh cbrt erf".split()
)
DECREASING = ("acos", "erfc")


def libm_points(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on f(x) for float64 x: the library's value +- 4 ulp."""
    v = np.asarray(_POINT[name](x), np.float64)
    slack = _ULPS.get(name, 4) * np.spacing(np.abs(v))
    low, high = _RANGE.get(name, (-np.inf, np.inf))
    return np.maximum(ar.down(v - slack), low), np.minimum(ar.up(v + slack), high)


def monotone(points: Points, name: str, a: Interval) -> Interval:
    """Enclose an increasing or decreasing function by its endpoints."""
    first, last = (a.hi, a.lo) if name in DECREASING else (a.lo, a.hi)
    return ar.sealed(points(name, first)[0], points(name, last)[1])


def cosh(points: Points, a: Interval) -> Interval:
    """Enclose the hyperbolic cosine: even, increasing on [0, inf)."""
    return monotone(points, "cosh", ar.absolute(a))


def logistic(points: Points, a: Interval) -> Interval:
    """Enclose 1 / (1 + exp(-a)), without overflow, by interval operations."""

    def at(x):
        e = monotone(points, "exp", ar.point(-np.abs(x)))
        one = ar.point(np.ones_like(x))
        right = ar.div(one, ar.add(one, e))
        left = ar.div(e, ar.add(one, e))
        return Interval(
            np.where(x < 0, left.lo, right.lo), np.where(x < 0, left.hi, right.hi)
        )

    lo, hi = at(a.lo).lo, at(a.hi).hi
    return ar.sealed(np.maximum(lo, 0.0), np.minimum(hi, 1.0))


def _holds(a: Interval, offset: float) -> np.ndarray:
    """Whether offset + 2 pi k may lie in a for an integer k (errs towards yes)."""
    lo, hi = (a.lo - offset) / (2 * np.pi), (a.hi - offset) / (2 * np.pi)
    slack = 1e-14 * (1 + np.maximum(np.abs(lo), np.abs(hi)))
    return ~(np.floor(hi + slack) < np.ceil(lo - slack))


def sine(points: Points, name: str, a: Interval) -> Interval:
    """Enclose sin or cos: endpoints, and +-1 where an extremum may lie inside."""
    top = np.pi / 2 if name == "sin" else 0.0
    first, last = points(name, a.lo), points(name, a.hi)
    lo, hi = np.minimum(first[0], last[0]), np.maximum(first[1], last[1])
    lo = np.where(_holds(a, top + np.pi), -1.0, lo)
    hi = np.where(_holds(a, top), 1.0, hi)
    return ar.sealed(np.where(a.unknown, np.nan, lo), np.where(a.unknown, np.nan, hi))


def tangent(points: Points, a: Interval) -> Interval:
    """Enclose tan; unknown where a pole may lie inside."""
    pole = _holds(a, np.pi / 2) | _holds(a, -np.pi / 2)
    lo, hi = points("tan", a.lo)[0], points("tan", a.hi)[1]
    return ar.sealed(np.where(pole, np.nan, lo), np.where(pole, np.nan, hi))


def power(points: Points, a: Interval, y: Interval) -> Interval:
    """Enclose a**y: integers by products, halves by sqrt, else exp(y log a)."""
    if y.thin.all() and np.unique(y.lo).size == 1:
        e = float(y.lo.ravel()[0])
        if e.is_integer() and abs(e) <= 512:
            return _shaped(ar.integer_pow(a, int(e)), a, y)
        if (2 * e).is_integer() and abs(e) <= 512:
            root = ar.sqrt(a)
            return _shaped(ar.integer_pow(root, int(2 * e)), a, y)
    return monotone(points, "exp", ar.mul(y, monotone(points, "log", a)))


def _shaped(r: Interval, a: Interval, y: Interval) -> Interval:
    shape = np.broadcast_shapes(a.shape, y.shape)
    return r.map(lambda v: np.broadcast_to(v, shape))
