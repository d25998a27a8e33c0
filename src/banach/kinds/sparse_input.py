"""Sparse matrices as they are handed over, read into `SparseMatrix` once.

Patterns are kept once: two matrices with entries in the same places share the arrays
that say where, so that many problems of one pattern are stacked, and copied to the
device, with their values alone.
"""

import hashlib
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import compat, validation
from banach.core.problem import Misuse
from banach.parts.sparse import SparseMatrix


def is_sparse(value: Any) -> bool:
    """Whether a value is a sparse matrix of SciPy's, of JAX's, or our own."""
    return (
        isinstance(value, SparseMatrix)
        or validation.is_sparse(value)
        or validation.is_jax_sparse(value)
    )


def sparse(value: Any, name: str) -> SparseMatrix:
    """A sparse matrix in canonical order; JAX's numbers stay JAX's.

    Raises:
        Misuse: what `validation.entries` refuses; JAX's with batch or dense axes.
    """
    if isinstance(value, SparseMatrix):
        return _checked(value, name)
    if not validation.is_jax_sparse(value):
        found = validation.entries(value, name)
        return _made(found.values, found.rows, found.columns, found.shape)
    value = _as_bcoo(value, name)
    if compat.any_tracer((value.data, value.indices)):
        return _traced(value, name)
    found = validation.entries(_Triplets(value), name)
    values = jnp.asarray(found.values, validation.array(value.data, name).dtype)
    return _made(values, found.rows, found.columns, found.shape)


def _as_bcoo(value: Any, name: str) -> Any:
    """Any of JAX's formats by its entries."""
    from jax.experimental import sparse as formats

    batched = getattr(value, "n_batch", 0) or getattr(value, "n_dense", 0)
    if batched or len(value.shape) != 2:
        raise Misuse(
            f"{name} must be a sparse array of two axes without batch or dense "
            f"dimensions, got {type(value).__name__} of shape {tuple(value.shape)}; "
            f"pass jax.experimental.sparse.BCOO.fromdense({name}.todense())"
        )
    if isinstance(value, formats.BCOO):
        return value
    if isinstance(value, formats.COO):
        at = jnp.stack([value.row, value.col], axis=1)
        return formats.BCOO((value.data, at), shape=value.shape)
    turned = isinstance(value, formats.CSC)
    if not (turned or isinstance(value, formats.BCSR | formats.CSR)):
        raise Misuse(
            f"{name} is a {type(value).__name__}, which is not read here; pass "
            f"jax.experimental.sparse.BCOO.fromdense({name}.todense())"
        )
    shape = value.shape[::-1] if turned else value.shape
    if not compat.any_tracer((value.indices, value.indptr)):
        validation.compressed(value, shape[0], name)
    rows = formats.BCSR((value.data, value.indices, value.indptr), shape=shape)
    return rows.to_bcoo().T if turned else rows.to_bcoo()


class _Triplets:
    """A BCOO as SciPy would show it; its padding, outside the shape, left out."""

    def __init__(self, value: Any):
        data, at = np.asarray(value.data), np.asarray(value.indices)
        if data.dtype.itemsize < 4 and jnp.issubdtype(data.dtype, jnp.floating):
            data = data.astype(np.float32)
        self.shape, self.dtype = value.shape, data.dtype
        inside = (at[:, 0] < self.shape[0]) & (at[:, 1] < self.shape[1])
        self.data, self.row, self.col = data[inside], at[inside, 0], at[inside, 1]

    def tocoo(self) -> "_Triplets":
        """Itself."""
        return self


def _made(values: Any, rows: Any, columns: Any, shape: tuple[int, int]) -> SparseMatrix:
    height, width = shape
    longest = int(np.bincount(rows, minlength=1).max())
    tallest = int(np.bincount(columns, minlength=1).max())
    rows, columns = _pattern(rows, columns, shape)
    return SparseMatrix(values, rows, columns, height, width, longest, tallest)


_PATTERNS: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()


def _pattern(rows: Any, columns: Any, shape: tuple[int, int]) -> list[np.ndarray]:
    """The one array of each that holds these places, never written."""
    out = []
    for axis, places in enumerate((rows, columns)):
        digest = hashlib.blake2b(places, digest_size=16).digest()
        key = (digest, axis, shape, places.size)
        found = _PATTERNS.get(key)
        if found is None:
            found = np.array(places, np.int32)
            found.flags.writeable = False
            _PATTERNS[key] = found
        out.append(found)
    return out


def _traced(value: Any, name: str) -> SparseMatrix:
    """A traced BCOO: sorted, places named once, padded by zeros at the last place."""
    height, width = value.shape
    data = validation.array(value.data, name)
    loaded = type(value)
    tidy = loaded((data, value.indices), shape=value.shape)
    tidy = tidy.sum_duplicates(nse=value.nse)
    rows, columns = tidy.indices[:, 0], tidy.indices[:, 1]
    kept = (rows < height) & (columns < width)
    values = jnp.where(kept, tidy.data, 0)
    rows = jnp.where(kept, rows, height - 1).astype(np.int32)
    columns = jnp.where(kept, columns, width - 1).astype(np.int32)
    # All padding may lie at one place.
    most = int(value.nse)
    return SparseMatrix(values, rows, columns, height, width, most, most)


def _checked(A: SparseMatrix, name: str) -> SparseMatrix:
    """Our own, which may have been edited or read from a file: as it would be made."""
    height = validation.integer(A.height, f"the height of {name}", low=1)
    width = validation.integer(A.width, f"the width of {name}", low=1)
    for size in (A.longest, A.tallest):
        validation.integer(size, f"the fullest row or column of {name}", low=1)
    if not isinstance(A.values, np.ndarray | jax.Array):
        raise Misuse(
            f"{name} needs an array of values, got {validation.shown(A.values)}"
        )
    values = validation.array(A.values, name)
    if compat.any_tracer(A):
        return A
    rows, columns = np.asarray(A.rows), np.asarray(A.columns)
    flat = rows.shape == columns.shape == np.shape(values) == (np.size(values),)
    whole = flat and rows.dtype == columns.dtype == np.int32 and rows.size > 0
    inside = whole and all(
        v.min() >= 0 and v.max() < size
        for v, size in ((rows, height), (columns, width))
    )
    if not inside or not _sorted(rows, columns, np.asarray(values), (height, width)):
        raise Misuse(
            f"{name}, a sparse matrix {height} x {width}, needs values, rows and "
            "columns of one length, in int32, sorted by row and column without a place "
            "twice; pass the matrix itself, e.g. SciPy's"
        )
    fullest = np.bincount(rows).max(), np.bincount(columns).max()
    if (A.longest, A.tallest) != fullest and not _padded(A):
        raise Misuse(
            f"the fullest row and column of {name} hold {fullest} entries, not "
            f"{(A.longest, A.tallest)}; pass the matrix itself, e.g. SciPy's"
        )
    return A if values is A.values else A.with_values(values)


def _padded(A: SparseMatrix) -> bool:
    """Whether it may have been made from traced places, of which nothing was known."""
    return A.longest == A.tallest == A.nnz


def _sorted(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> bool:
    place = rows.astype(np.int64) * shape[1] + columns
    step = np.diff(place)
    last = place[1:] == shape[0] * shape[1] - 1
    return bool(((step > 0) | ((step == 0) & last & (values[1:] == 0))).all())
