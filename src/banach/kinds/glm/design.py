"""What a linear model asks of its data matrix, dense or sparse.

A dense one is the array itself, a sparse one a `SparseMatrix`; nothing here, and
nothing that uses this, makes the one of the other.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from banach.core import tree
from banach.kinds import inputs
from banach.parts.sparse import Picked, SparseMatrix


def values(A: Any) -> Any:
    """The array of the entries."""
    return A.values if isinstance(A, SparseMatrix) else A


def has_rows(A: Any) -> bool:
    """Whether rows can be drawn: of a matrix of numbers."""
    return isinstance(values(A), np.ndarray | jax.Array | jax.ShapeDtypeStruct)


def narrowed(A: Any, dtype: Any) -> Any:
    """A in the dtype of the problem; Misuse where an entry overflows there."""
    own = inputs.narrowed(values(A), dtype, "A")
    return A.with_values(own) if isinstance(A, SparseMatrix) else own


def cast(A: Any, dtype: Any) -> Any:
    """JAX's A in a dtype."""
    if isinstance(A, Picked):
        return A
    return A.in_dtype(dtype) if isinstance(A, SparseMatrix) else jnp.asarray(A, dtype)


def picked(A: Any, index: Array, dtype: Any) -> Any:
    """Some rows, for `times`, `times_back` and `entries`."""
    if isinstance(A, SparseMatrix):
        return A.in_dtype(dtype).picked(index)
    return jnp.asarray(A)[index].astype(dtype)


def entries(rows: Any) -> Array:
    """Picked rows as an array."""
    return rows.matrix() if isinstance(rows, Picked) else rows


def times(A: Any, x: Array) -> Array:
    """A x for one or several columns."""
    A = cast(A, x.dtype)
    if isinstance(A, SparseMatrix | Picked):
        return A.matvec(x)
    return jnp.matmul(A, x, precision=tree.PRECISION)


def times_back(A: Any, u: Array) -> Array:
    """A'u for one or several columns."""
    A = cast(A, u.dtype)
    if isinstance(A, SparseMatrix | Picked):
        return A.rmatvec(u)
    # u'A: XLA's product with A transposed is eight times slower on a CPU.
    return jnp.matmul(u.T, A, precision=tree.PRECISION).T


def mapped(A: Any, fun: Any) -> Any:
    """fun of every entry, a function with fun(0) = 0 such as abs."""
    if isinstance(A, SparseMatrix):
        return A.with_values(fun(A.values))
    return fun(A)


def row_squares(A: Any, xp: Any = jnp) -> Any:
    """The sums of squares of the rows; of a host array with xp = numpy."""
    if not isinstance(A, SparseMatrix):
        return xp.sum(xp.square(xp.asarray(A)), axis=1)
    return _sums(A.rows, xp.square(xp.asarray(A.values)), A.height, xp)


def column_sums(A: SparseMatrix, each: Any, xp: Any) -> Any:
    """The sums over columns of one number an entry."""
    return _sums(A.columns, each, A.width, xp)


def _sums(places: Any, each: Any, size: int, xp: Any) -> Any:
    if xp is np:
        return np.bincount(np.asarray(places), each, size)
    at = jnp.zeros(size, each.dtype).at[jnp.asarray(places)]
    return at.add(each, mode="promise_in_bounds", wrap_negative_indices=False)


def column_sizes(A: Any, xp: Any) -> Any:
    """The largest absolute value of each column."""
    if not isinstance(A, SparseMatrix):
        return xp.max(xp.abs(A), axis=0, initial=0)
    each = xp.abs(xp.asarray(A.values))
    if xp is np:
        out = np.zeros(A.width, each.dtype)
        np.maximum.at(out, np.asarray(A.columns), each)
        return out
    return jnp.zeros(A.width, each.dtype).at[jnp.asarray(A.columns)].max(each)


def moments(A: Any, w: Any, unit: Any, centred: bool, xp: Any) -> tuple[Any, Any]:
    """Means (None: not centred) and squares about them of the columns over `unit`."""
    total = xp.sum(w)
    if not isinstance(A, SparseMatrix):
        B = A / unit
        mean = (w @ B) / total if centred else None
        return mean, w @ xp.square(B if mean is None else B - mean)
    columns = xp.asarray(A.columns)
    felt = w[xp.asarray(A.rows)]
    b = xp.asarray(A.values) / unit[columns]
    if not centred:
        return None, column_sums(A, felt * xp.square(b), xp)
    mean = column_sums(A, felt * b, xp) / total
    about = column_sums(A, felt * xp.square(b - mean[columns]), xp)
    # What is not stored is 0, and as far from the mean as the mean is large.
    stored = column_sums(A, xp.ones_like(b), xp)
    absent = xp.where(
        stored < A.height, xp.maximum(total - column_sums(A, felt, xp), 0), 0
    )
    return mean, about + absent * xp.square(mean)


def host(A: Any, dtype: Any = None) -> Any:
    """An array of NumPy's, or a CSR array of SciPy's."""
    dtype = A.dtype if dtype is None else dtype
    return A.csr(dtype) if isinstance(A, SparseMatrix) else np.asarray(A, dtype)


def is_ambient(A: Any) -> bool:
    """Whether the entries are an array of JAX's."""
    return isinstance(values(A), jax.Array)


def text(A: Any) -> str:
    """The size in words."""
    n, p = A.shape
    more = f" with {A.nnz} entries" if isinstance(A, SparseMatrix) else ""
    return f"A {n} x {p}{more}"
