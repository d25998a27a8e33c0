"""Factorisations, by NumPy's LAPACK; NaN where they fail, and nothing is raised.

Triangular systems and LU up to `_LOOP` rows are loops over rows in NumPy: SciPy, which
has them, takes longer to import than most first answers take.
"""

import math
from typing import Any

import numpy as np

from banach.engine.interpret.table import result, rule, shape_of

_LOOP = 48


def _each(function: Any, results: int) -> Any:
    """A function of stacked matrices that gives NaN for those where it fails."""

    def tried(*arrays):
        try:
            return function(*arrays)
        except np.linalg.LinAlgError:
            pass
        x = arrays[0]
        if x.ndim == 2:
            return None
        lead = x.shape[:-2]
        rows = [tried(*(a[i] for a in arrays)) for i in np.ndindex(lead)]
        good = next((r for r in rows if r is not None), None)
        if good is None:
            return None
        if results == 1:
            bad = np.full_like(good, np.nan)
            return np.stack([bad if r is None else r for r in rows]).reshape(
                *lead, *good.shape
            )
        bad = [np.full_like(g, np.nan) for g in good]
        parts = zip(*(bad if r is None else r for r in rows), strict=True)
        return [
            np.stack(p).reshape(*lead, *g.shape)
            for p, g in zip(parts, good, strict=True)
        ]

    return tried


def _nan(eqn: Any) -> list[Any]:
    """All results as NaN."""
    return [np.full(v.aval.shape, np.nan, v.aval.dtype) for v in eqn.outvars]


def _real(eqn: Any) -> str | None:
    """Only matrices of floats with at least one entry are factored."""
    if math.prod(shape_of(eqn)) == 0:
        return "an empty matrix"
    if eqn.params.get("subset_by_index") is not None:
        return "a part of the spectrum"
    return None


@rule("cholesky", unless=_real)
def _cholesky(eqn):
    factor = _each(np.linalg.cholesky, 1)
    shape, dtype = result(eqn).shape, result(eqn).dtype
    none = np.tril(np.full(shape[-2:], np.nan, dtype))

    def cholesky(x):
        out = factor(x)
        if out is None:
            return _nan(eqn)[0]
        if np.isfinite(out).all():
            return out
        # An infinite factor would make solutions of zero.
        endless = np.isinf(out).any(axis=(-2, -1), keepdims=True)
        return np.where(endless, none, out)

    return cholesky


@rule("eigh", many=True, unless=_real)
def _eigh(eqn):
    part = "L" if eqn.params["lower"] else "U"
    shape = [v.aval.shape for v in eqn.outvars]

    def raw(x):
        w, v = np.linalg.eigh(x, part)
        return [v, w]

    factor = _each(raw, 2)
    assert len(shape) == 2

    def eigh(x):
        out = factor(x)
        out = _nan(eqn) if out is None else out
        return _spoilt(x, out)

    return eigh


def _spoilt(x, out):
    """Results of matrices with NaN or infinite entries are NaN as a whole."""
    fine = np.isfinite(x).all(axis=(-2, -1))
    if fine.all():
        return out
    lead = fine.ndim
    return [
        np.where(fine.reshape(*fine.shape, *(1,) * (v.ndim - lead)), v, np.nan).astype(
            v.dtype
        )
        for v in out
    ]


@rule("svd", many=True, unless=_real)
def _svd(eqn):
    full, vectors = eqn.params["full_matrices"], eqn.params["compute_uv"]

    def raw(x):
        if not vectors:
            return [np.linalg.svd(x, compute_uv=False)]
        u, s, v = np.linalg.svd(x, full_matrices=full)
        return [s, u, v]

    factor = _each(raw, 3)

    def svd(x):
        out = factor(x)
        return _spoilt(x, _nan(eqn) if out is None else out)

    return svd


def _pivoting(eqn: Any) -> str | None:
    return "a QR with pivots" if eqn.params.get("pivoting") else _real(eqn)


@rule("qr", many=True, unless=_pivoting)
def _qr(eqn):
    mode = "complete" if eqn.params["full_matrices"] else "reduced"
    return lambda x: list(np.linalg.qr(x, mode))


@rule("geqrf", many=True, unless=_real)
def _geqrf(eqn):
    def geqrf(x):
        packed, tau = np.linalg.qr(x, "raw")
        return [packed.swapaxes(-1, -2), tau]

    return geqrf


@rule("householder_product", unless=_real)
def _householder_product(eqn):
    m, n = shape_of(eqn)[-2:]
    count = shape_of(eqn, 1)[-1]

    def product(a, taus):
        # H_1 ... H_k applied to the first columns of the identity, last one first.
        out = np.zeros(a.shape, a.dtype)
        out[..., range(min(m, n)), range(min(m, n))] = 1
        for i in reversed(range(count)):
            v = np.array(a[..., i:, i : i + 1])
            v[..., 0, :] = 1
            tail = out[..., i:, :]
            scale = taus[..., i][..., None, None]
            out[..., i:, :] = tail - scale * v * (v * tail).sum(-2, keepdims=True)
        return out

    return product


@rule("triangular_solve", unless=_real)
def _triangular_solve(eqn):
    p = eqn.params
    left, lower, unit = p["left_side"], p["lower"], p["unit_diagonal"]
    turned = p["transpose_a"]
    n = shape_of(eqn)[-1]
    # Always L X = B or U X = B with the matrix on the left: x A = b is A' x' = b'.
    swap = turned == left
    down = lower != swap
    solve = _rows(n, down, unit) if n <= _LOOP else _trsm(down, unit)

    def solved(a, b):
        if swap:
            a = a.swapaxes(-1, -2)
        if left:
            return solve(a, b)
        return solve(a, b.swapaxes(-1, -2)).swapaxes(-1, -2)

    return solved


def _rows(n, down, unit):
    """Substitution row by row, for stacks of matrices at once."""
    order = range(n) if down else range(n - 1, -1, -1)

    def flat(a, b):
        out = np.empty(b.shape, b.dtype)
        for i in order:
            done = slice(0, i) if down else slice(i + 1, n)
            row = b[i] - np.dot(a[i, done], out[done])
            out[i] = row if unit else row / a[i, i]
        return out

    def stacked(a, b):
        if a.ndim == 2:
            return flat(a, b)
        out = np.empty(b.shape, b.dtype)
        for i in order:
            done = slice(0, i) if down else slice(i + 1, n)
            known = np.matmul(a[..., i : i + 1, done], out[..., done, :])[..., 0, :]
            row = b[..., i, :] - known
            out[..., i, :] = row if unit else row / a[..., i, i, None]
        return out

    return stacked


def _trsm(down, unit):
    """Substitution by BLAS."""
    # Loading it takes longer than many a run: here nobody times one.
    from scipy.linalg import get_blas_funcs

    def one(a, b):
        (trsm,) = get_blas_funcs(("trsm",), (a, b))
        # BLAS is by columns: the transpose of a matrix in C order costs no copy.
        return trsm(a.dtype.type(1), a.T, b, lower=not down, trans_a=1, diag=int(unit))

    def stacked(a, b):
        if a.ndim == 2:
            return one(a, b)
        out = np.empty(b.shape, b.dtype)
        for i in np.ndindex(a.shape[:-2]):
            out[i] = one(a[i], b[i])
        return out

    return stacked


@rule("lu", many=True, unless=_real)
def _lu(eqn):
    pivots, order = result(eqn, 1), result(eqn, 2)
    rows, columns = shape_of(eqn)[-2:]
    factor = _loop_lu if max(rows, columns) <= _LOOP else _lapack_lu

    def lu(x):
        lead = x.shape[:-2]
        out = np.array(x, order="C")
        swaps = np.empty(pivots.shape, pivots.dtype)
        orders = np.empty(order.shape, order.dtype)
        for i in np.ndindex(lead):
            out[i], swaps[i] = factor(out[i])
            orders[i] = permutation(swaps[i], rows)
        return [out, swaps, orders]

    return lu


def _loop_lu(a):
    m, n = a.shape
    pivots = np.empty(min(m, n), np.int32)
    for k in range(min(m, n)):
        size = np.abs(a[k:, k])
        # As LAPACK's idamax: a NaN never wins, unless it comes first.
        found = 0 if np.isnan(size[0]) else int(np.argmax(np.fmax(size, -1)))
        at = k + found
        pivots[k] = at
        if at != k:
            a[[k, at]] = a[[at, k]]
        if a[k, k] != 0:
            a[k + 1 :, k] /= a[k, k]
        if k + 1 < n:
            a[k + 1 :, k + 1 :] -= np.multiply.outer(a[k + 1 :, k], a[k, k + 1 :])
    return a, pivots


def _lapack_lu(a):
    from scipy.linalg import get_lapack_funcs

    (getrf,) = get_lapack_funcs(("getrf",), (a,))
    factors, pivots, _ = getrf(a)
    return factors, pivots


def permutation(pivots, rows):
    """The order of rows that swapping each row with its pivot's leads to."""
    order = np.arange(rows, dtype=np.int32)
    for i, at in enumerate(pivots.tolist()):
        order[i], order[at] = order[at], order[i]
    return order


@rule("lu_pivots_to_permutation")
def _pivots_to_permutation(eqn):
    rows, out = eqn.params["permutation_size"], result(eqn)

    def orders(pivots):
        full = np.empty(out.shape, out.dtype)
        for i in np.ndindex(pivots.shape[:-1]):
            full[i] = permutation(pivots[i], rows)
        return full

    return orders
