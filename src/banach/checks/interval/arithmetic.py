"""Interval arithmetic on NumPy arrays with outward rounding.

An `Interval` holds two float64 arrays lo <= hi; an entry whose endpoints are NaN
is *unknown* (a quotient by zero, a logarithm of a negative number, an overflow) and
stays unknown in everything computed from it. A `Trool` is a boolean array of which
some entries are undecided.

Sums use the exact error of one addition (Knuth's TwoSum), so exact sums are not
widened; products, quotients and square roots are widened by one `nextafter`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from banach.core.rounding import gam


class Interval:
    """A box: the arrays of real numbers t with lo <= t <= hi, entry by entry."""

    __slots__ = ("hi", "lo")

    def __init__(self, lo: Any, hi: Any):
        self.lo = np.asarray(lo, np.float64)
        self.hi = np.asarray(hi, np.float64)
        if self.lo.shape != self.hi.shape:
            raise ValueError(f"endpoints of shapes {self.lo.shape}, {self.hi.shape}")

    @classmethod
    def around(cls, mid: Any, radius: Any) -> "Interval":
        """Return the smallest representable box that holds mid +- radius."""
        return add(cls(mid, mid), cls(-np.abs(radius), np.abs(radius)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that is enclosed."""
        return self.lo.shape

    @property
    def mid(self) -> np.ndarray:
        """A point near the middle, inside the interval."""
        half = self.lo / 2 + self.hi / 2
        return np.minimum(np.maximum(half, self.lo), self.hi)

    @property
    def radius(self) -> np.ndarray:
        """A bound on the distance from `mid` to any point of the interval."""
        mid = self.mid
        return np.maximum(up(self.hi - mid), up(mid - self.lo)) * (self.lo != self.hi)

    @property
    def sup_abs(self) -> np.ndarray:
        """Largest absolute value in the interval."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    @property
    def unknown(self) -> np.ndarray:
        """Entries of which nothing is known."""
        return np.isnan(self.lo) | np.isnan(self.hi)

    @property
    def thin(self) -> np.ndarray:
        """Entries that are single points."""
        return self.lo == self.hi

    def map(self, move: Callable[[np.ndarray], np.ndarray]) -> "Interval":
        """Apply an exact rearrangement of entries to both endpoints."""
        return Interval(move(self.lo), move(self.hi))

    def __repr__(self) -> str:
        return f"Interval({self.lo!r}, {self.hi!r})"


class Trool:
    """Booleans of which some are undecided: lo = surely true, hi = maybe true."""

    __slots__ = ("hi", "lo")

    def __init__(self, lo: Any, hi: Any):
        self.lo = np.asarray(lo, bool)
        self.hi = np.asarray(hi, bool)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the boolean array."""
        return self.lo.shape

    @property
    def unsure(self) -> np.ndarray:
        """Entries that are undecided."""
        return self.lo != self.hi

    def map(self, move: Callable[[np.ndarray], np.ndarray]) -> "Trool":
        """Apply an exact rearrangement of entries."""
        return Trool(move(self.lo), move(self.hi))


def down(v: np.ndarray) -> np.ndarray:
    """Return the next float64 below."""
    return np.nextafter(v, -np.inf)


def up(v: np.ndarray) -> np.ndarray:
    """Return the next float64 above."""
    return np.nextafter(v, np.inf)


def sealed(lo: Any, hi: Any) -> Interval:
    """Make an interval; entries that overflowed or are invalid become unknown."""
    lo, hi = np.asarray(lo, np.float64), np.asarray(hi, np.float64)
    bad = ~(np.isfinite(lo) & np.isfinite(hi) & (lo <= hi))
    return Interval(np.where(bad, np.nan, lo), np.where(bad, np.nan, hi))


def point(v: Any) -> Interval:
    """Return the thin interval of a float array."""
    return Interval(v, v)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def add_down(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a + b rounded towards minus infinity."""
    s, err = _two_sum(a, b)
    return np.where(err >= 0, s, down(s))


def add_up(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a + b rounded towards plus infinity."""
    s, err = _two_sum(a, b)
    return np.where(err <= 0, s, up(s))


def _times(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = a * b
    # Products with 0 or +-1 are exact; widening them would blur one-hot tangents.
    exact = (a == 0) | (b == 0) | (np.abs(a) == 1) | (np.abs(b) == 1)
    return np.where(exact, p, down(p)), np.where(exact, p, up(p))


def add(a: Interval, b: Interval) -> Interval:
    """Return a + b."""
    return sealed(add_down(a.lo, b.lo), add_up(a.hi, b.hi))


def neg(a: Interval) -> Interval:
    """Return -a."""
    return Interval(-a.hi, -a.lo)


def sub(a: Interval, b: Interval) -> Interval:
    """Return a - b for independent a and b."""
    return add(a, neg(b))


def mul(a: Interval, b: Interval) -> Interval:
    """Return a * b for independent a and b."""
    pairs = [_times(p, q) for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
    lows = np.stack([lo for lo, _ in pairs])
    highs = np.stack([hi for _, hi in pairs])
    return sealed(lows.min(0), highs.max(0))


def div(a: Interval, b: Interval) -> Interval:
    """Return a / b; unknown where b may be zero."""
    zero = ~((b.lo > 0) | (b.hi < 0))
    safe = b.map(lambda v: np.where(zero, np.nan, v))
    pairs = [_over(p, q) for p in (a.lo, a.hi) for q in (safe.lo, safe.hi)]
    lows = np.stack([lo for lo, _ in pairs])
    highs = np.stack([hi for _, hi in pairs])
    return sealed(lows.min(0), highs.max(0))


def _over(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r = a / b
    exact = (a == 0) | (np.abs(b) == 1)
    return np.where(exact, r, down(r)), np.where(exact, r, up(r))


def absolute(a: Interval) -> Interval:
    """Return |a|."""
    inside = (a.lo <= 0) & (a.hi >= 0)
    small = np.minimum(np.abs(a.lo), np.abs(a.hi))
    return Interval(np.where(inside, 0.0, small), a.sup_abs)


def square(a: Interval) -> Interval:
    """Return a * a, never negative."""
    m = absolute(a)
    lo, hi = _times(m.lo, m.lo)[0], _times(m.hi, m.hi)[1]
    return sealed(np.maximum(lo, 0.0), hi)


def sqrt(a: Interval) -> Interval:
    """Return the square root; unknown where a may be negative."""
    lo, hi = np.sqrt(a.lo), np.sqrt(a.hi)
    # sqrt is correctly rounded: 0 and 1 are exact.
    lo = np.where((lo == 0) | (lo == 1), lo, down(lo))
    hi = np.where((hi == 0) | (hi == 1), hi, up(hi))
    return sealed(lo, hi)


def integer_pow(a: Interval, exponent: int) -> Interval:
    """Return a**exponent for a fixed integer; even powers are never negative."""
    if exponent < 0:
        return div(point(np.ones(a.shape)), integer_pow(a, -exponent))
    if exponent == 0:
        return point(np.ones(a.shape))
    if exponent % 2 == 0:
        m = absolute(a)
        return sealed(_power(m.lo, exponent, 0), _power(m.hi, exponent, 1))
    low, high = np.abs(a.lo), np.abs(a.hi)
    lo = np.where(a.lo < 0, -_power(low, exponent, 1), _power(low, exponent, 0))
    hi = np.where(a.hi < 0, -_power(high, exponent, 0), _power(high, exponent, 1))
    return sealed(lo, hi)


def _power(v: np.ndarray, exponent: int, side: int) -> np.ndarray:
    """Directed power of nonnegative floats by repeated squaring."""
    result, base = None, v
    while True:
        if exponent & 1:
            result = base if result is None else _bounded(result, base, side)
        exponent >>= 1
        if not exponent:
            return result
        base = _bounded(base, base, side)


def _bounded(a: np.ndarray, b: np.ndarray, side: int) -> np.ndarray:
    return np.maximum(_times(a, b)[side], 0.0)


def hull(a: Interval, b: Interval) -> Interval:
    """Return the smallest interval that holds both; unknown if either is."""
    return Interval(np.minimum(a.lo, b.lo), np.maximum(a.hi, b.hi))


def maximum(a: Interval, b: Interval) -> Interval:
    """Return max(a, b), entry by entry."""
    return Interval(np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi))


def minimum(a: Interval, b: Interval) -> Interval:
    """Return min(a, b), entry by entry."""
    return Interval(np.minimum(a.lo, b.lo), np.minimum(a.hi, b.hi))


def less(a: Interval, b: Interval) -> Trool:
    """Return a < b; unknown entries are undecided."""
    return Trool(a.hi < b.lo, ~(a.lo >= b.hi))


def less_equal(a: Interval, b: Interval) -> Trool:
    """Return a <= b; unknown entries are undecided."""
    return Trool(a.hi <= b.lo, ~(a.lo > b.hi))


def equal(a: Interval, b: Interval) -> Trool:
    """Return a == b; true only for two equal points."""
    same = a.thin & b.thin & (a.lo == b.lo)
    return Trool(same, ~((a.hi < b.lo) | (b.hi < a.lo)))


def total(a: Interval, axes: tuple[int, ...]) -> Interval:
    """Sum over axes, widened by gam(m + 4) times the sum of absolute values."""
    m = int(np.prod([a.shape[i] for i in axes], dtype=int))
    if m == 1:
        return a.map(lambda v: np.sum(v, axis=axes))
    g = 1.01 * gam(m + 4, float)
    lo, low = np.sum(a.lo, axis=axes), g * np.sum(np.abs(a.lo), axis=axes)
    hi, high = np.sum(a.hi, axis=axes), g * np.sum(np.abs(a.hi), axis=axes)
    return sealed(
        np.where(low == 0, lo, down(lo - up(low))),
        np.where(high == 0, hi, up(hi + up(high))),
    )


def matmul(a: Interval, b: Interval) -> Interval:
    """Return a @ b (stacked matrices) in midpoint-radius form.

    |fl(A) fl(x) - a x| <= |A| r_x + r_A (|x| + r_x)
                           + gam(n + 4) (|A| + r_A)(|x| + r_x),   A, x midpoints.
    """
    n = a.shape[-1]
    a_mid, b_mid, a_rad, b_rad = a.mid, b.mid, a.radius, b.radius
    a_abs, b_abs = np.abs(a_mid), np.abs(b_mid)
    b_sup = up(b_abs + b_rad)
    size = up(a_abs + a_rad) @ b_sup
    spread = a_abs @ b_rad + a_rad @ b_sup
    terms = (a.sup_abs > 0).astype(float) @ (b.sup_abs > 0).astype(float)
    g = 1.01 * gam(n + 4, float)
    # (1 + 2g) covers the rounding of the two nonnegative companions themselves.
    rad = (spread + g * size) * (1 + 2 * g) * (1 + 2**-50)
    rad = rad + terms * 2.0**-1022  # underflow of single products
    mid = a_mid @ b_mid
    exact = rad == 0
    rad = up(rad)
    bad = ~(np.isfinite(rad) & np.isfinite(mid))
    lo, hi = add_down(mid, -rad), add_up(mid, rad)
    lo, hi = np.where(exact, 0.0, lo), np.where(exact, 0.0, hi)
    return sealed(np.where(bad, np.nan, lo), np.where(bad, np.nan, hi))
