"""Random scales, shapes of degeneracy and points."""

from typing import NamedTuple

import numpy as np

TOLS = np.array([1e-6, 1e-3, 1e-9, 1e-1, 1e-12])
TOL_SHARE = np.array([0.5, 0.2, 0.15, 0.1, 0.05])


class Range(NamedTuple):
    """Decimal exponents that a dtype holds: (lowest, highest), and the inner ones."""

    low: float
    high: float
    inner: float


def span(dtype) -> Range:
    """The range of a dtype; `inner` is that of the rule against refusals."""
    if np.dtype(dtype) == np.float32:
        return Range(-37.5, 37.5, 37.0)
    return Range(-307.0, 307.0, 74.0)


def cast(x, dtype):
    """Rounded to the dtype, overflow clipped to its largest number."""
    big = np.finfo(dtype).max
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.clip(np.asarray(x, np.longdouble), -big, big).astype(dtype)


def power(e):
    """10^e in extended precision, far beyond the range of floats."""
    return np.longdouble(10) ** np.asarray(e, np.longdouble)


class Scales(NamedTuple):
    """Exponents of A, y and of the penalty relative to its natural unit."""

    a: np.ndarray
    y: np.ndarray
    rel: np.ndarray
    free: np.ndarray  # exponent of the penalty where it is independent, else NaN


def scales(rng, dtype, count) -> Scales:
    """Modes: unit, moderate, joint, independent (inner and full range)."""
    r = span(dtype)
    mode = rng.integers(0, 6, count)
    third = r.inner / 3
    a, y = np.zeros(count), np.zeros(count)
    rel = rng.uniform(-8, 2, count)
    free = np.full(count, np.nan)
    wide = [0, 6, third, r.inner, r.high, r.high / 3]
    for m, w in enumerate(wide):
        at = mode == m
        low = -w if m != 4 else r.low
        a[at] = rng.uniform(low, w, at.sum()) if w else 0
        y[at] = rng.uniform(low, w, at.sum()) if w else 0
        if m in (3, 4):
            free[at] = rng.uniform(low, w, at.sum())
    deep = rng.random(count) < 0.2
    rel[deep] = rng.uniform(-30, 6, deep.sum())
    # One of the two scales alone.
    alone = rng.random(count)
    a[alone < 0.1] = 0
    y[alone > 0.9] = 0
    return Scales(a, y, rel, free)


def matrix(rng, count, n, p):
    """Mantissas of a data matrix, some of them degenerate."""
    A = rng.normal(size=(count, n, p))
    whole = rng.random(count) < 0.3
    A[whole] = rng.integers(-3, 4, (whole.sum(), n, p))
    flat = rng.random(count) < 0.05
    A[flat] = 1.0
    kind = rng.integers(0, 12, count)
    j, k = rng.integers(0, p, count), rng.integers(0, p, count)
    at = np.arange(count)
    z = at[kind == 1]
    A[z, :, j[z]] = 0
    z = at[kind == 2]
    A[z, rng.integers(0, n, z.size)] = 0
    z = at[kind == 3]
    A[z, :, j[z]] = A[z, :, k[z]]
    z = at[kind == 4]
    noise = 10.0 ** rng.uniform(-17, -4, (z.size, 1))
    A[z, :, j[z]] = A[z, :, k[z]] * (1 + noise * rng.normal(size=(z.size, n)))
    z = at[kind == 5]
    A[z] = A[z][:, :1] * rng.normal(size=(z.size, n, 1))
    z = at[kind == 6]
    A[z, :, j[z]] += 1e6
    z = at[kind == 7]
    A[z, 1:] = 0
    z = at[kind == 8]
    # Columns of unequal size.
    A[z] *= 10.0 ** rng.uniform(-6, 6, (z.size, 1, p))
    return A


def targets(rng, A):
    """Mantissas of targets: a model with noise, constants, offsets, zeros."""
    count, n, p = A.shape
    y = np.einsum("bnp,bp->bn", A, rng.normal(size=(count, p)))
    y += rng.normal(size=(count, n)) * 10.0 ** rng.uniform(-8, 1, (count, 1))
    kind = rng.integers(0, 10, count)
    y[kind == 1] = y[kind == 1, :1]
    y[kind == 2] += 1e6
    y[kind == 3] = np.einsum("bnp->bn", A)[kind == 3]
    y[kind == 4] = rng.integers(-2, 3, (np.sum(kind == 4), n))
    z = np.flatnonzero(kind == 5)
    y[z, 1:] = 0
    y[rng.random(count) < 0.02] = 0
    return y


def weights(rng, count, n, dtype):
    """Sample weights: ones, numbers, zeros and tiny ones; some weight stays."""
    w = np.ones((count, n))
    kind = rng.integers(0, 8, count)
    z = kind == 1
    w[z] = rng.uniform(0.1, 3, (z.sum(), n))
    z = kind == 2
    w[z] = rng.integers(0, 2, (z.sum(), n))
    z = kind == 3
    r = span(dtype)
    w[z] = 10.0 ** rng.uniform(-30, 0, (z.sum(), n))
    z = kind == 4
    w[z] = 10.0 ** rng.uniform(r.low / 2, r.high / 2, (z.sum(), 1))
    z = np.flatnonzero(kind == 5)
    w[z, 1:] = 0
    w[w.sum(axis=1) == 0, 0] = 1
    return cast(w, dtype)


def penalties(s: Scales, natural, dtype):
    """10^natural times its relative size, or an independent number; positive."""
    e = np.where(np.isnan(s.free), natural + s.rel, s.free)
    return positive(power(e), dtype)


def positive(x, dtype):
    """Rounded to the dtype and at least its smallest normal number."""
    return np.maximum(cast(x, dtype), np.finfo(dtype).tiny)


def points(rng, best, reference, dtype, infeasible=True):
    """Six points an instance: (count, 6, ...), from the solution in extended range."""
    count, shape = best.shape[0], best.shape[1:]
    lift = (slice(None),) + (None,) * len(shape)
    unit = np.longdouble(1)
    size = np.max(np.abs(best.reshape(count, -1)), axis=1)
    size = np.where(size > 0, size, unit)
    r = span(dtype)

    def noise():
        return rng.normal(size=best.shape)

    near = best * (1 + power(rng.uniform(-16, -1, count))[lift] * noise())
    off = best + (size * power(rng.uniform(-12, 2, count)))[lift] * noise()
    wild = power(rng.uniform(r.low, r.high, count))[lift] * noise()
    part = rng.random(best.shape) < 0.5
    mixed = np.where(part, best, 0)
    return cast(np.stack([best, near, off, reference, mixed, wild], axis=1), dtype)


def tolerances(rng, count):
    """One tolerance an instance."""
    return rng.choice(TOLS, count, p=TOL_SHARE)
