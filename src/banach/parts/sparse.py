"""A sparse matrix as its entries, and the sums over rows and columns it is made of.

One array of values with the row and the column of each serves A x and A'y alike: both
gather what they read and add up where they write, by `segment sums` that XLA and NumPy
run at one to three nanoseconds an entry. No second copy in another order is kept.
Whatever order they are added in, the sum of the k entries of a row is within gam(k) of
the true one times the sum of their absolute values.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from banach.core import tree
from banach.parts.operators import Operator, Scalar, _up

Block = Float[Array, "k"] | Float[Array, "k c"]


class SparseMatrix(Operator):
    """A matrix (height, width) by its entries (row, column, value).

    Entries are sorted by row, within a row by column, and no place is named twice,
    but for zeros at the very last place, which pad traced matrices. Stored zeros are
    entries. `longest` and `tallest` are the numbers of entries of the fullest row and
    column, or more. It acts on vectors (width,) and on several side by side,
    (width, c). Inside a user's function it has `A @ x`, `x @ A`, `A.T @ y`, `c * A`,
    `A / c`, `-A`, `A.diagonal()` and `A.toarray()`.
    """

    entrywise: ClassVar[bool] = True
    # NumPy leaves c * A and x @ A to what is written here.
    __array_ufunc__: ClassVar[None] = None

    values: Float[Array, " nnz"]
    rows: Int[Array, " nnz"]
    columns: Int[Array, " nnz"]
    height: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    longest: int = eqx.field(static=True)
    tallest: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def dtype(self) -> Any:
        """That of the values."""
        return self.values.dtype

    @property
    def nnz(self) -> int:
        """How many entries are stored."""
        return int(self.values.shape[0])

    @property
    def T(self) -> "Transposed":
        """The transposed matrix, a view."""
        return Transposed(self)

    def __matmul__(self, x: Any) -> Array:
        if isinstance(x, SparseMatrix | Transposed):
            return NotImplemented
        return self.matvec(jnp.asarray(x))

    def __rmatmul__(self, x: Any) -> Array:
        return self.rmatvec(jnp.asarray(x).T).T

    def __mul__(self, c: Any) -> "SparseMatrix":
        if not _is_number(c):
            return NotImplemented
        return self.with_values(jnp.asarray(self.values) * c)

    __rmul__ = __mul__

    def __truediv__(self, c: Any) -> "SparseMatrix":
        if not _is_number(c):
            return NotImplemented
        return self.with_values(jnp.asarray(self.values) / c)

    def __neg__(self) -> "SparseMatrix":
        return self.with_values(-jnp.asarray(self.values))

    def dot(self, x: Any) -> Array:
        """A x, by SciPy's word."""
        return self @ x

    def transpose(self) -> "Transposed":
        """The transposed matrix, by SciPy's word."""
        return self.T

    def toarray(self) -> Float[Array, "height width"]:
        """Dense, by SciPy's word."""
        return self.matrix()

    def matvec(self, x: Block) -> Block:
        """A x."""
        return _columnwise(self._ahead, x)

    def rmatvec(self, y: Block, like: Any = None) -> Block:
        """A'y."""
        return _columnwise(self._back, y)

    def absolute(self, x: Block) -> Block:
        """|A| x."""
        return self.with_values(jnp.abs(self.values)).matvec(x)

    def with_values(self, values: Any) -> "SparseMatrix":
        """Other values in the same places."""
        return SparseMatrix(
            values,
            self.rows,
            self.columns,
            self.height,
            self.width,
            self.longest,
            self.tallest,
        )

    def in_dtype(self, dtype: Any) -> "SparseMatrix":
        """With JAX's values of a dtype."""
        return self.with_values(jnp.asarray(self.values, dtype))

    def row_sums(self, values: Any) -> Float[Array, " height"]:
        """The sums over rows of one number an entry."""
        return _summed(values, self.rows, self.height, in_order=True)

    def column_sums(self, values: Any) -> Float[Array, " width"]:
        """The sums over columns of one number an entry."""
        return _summed(values, self.columns, self.width)

    def column_squares(self) -> Float[Array, " width"]:
        """The sums of squares over columns."""
        return self.column_sums(jnp.square(jnp.asarray(self.values)))

    def at_rows(self, v: Any) -> Array:
        """Of one number a row that of each entry."""
        return _taken(v, self.rows)

    def at_columns(self, v: Any) -> Array:
        """Of one number a column that of each entry."""
        return _taken(v, self.columns)

    def gram(self, d: Float[Array, " height"]) -> Float[Array, "width width"]:
        """A' diag(d) A, dense: an entry meets those that follow in its row, in turn.

        That takes `longest` passes over the entries and no memory but the result's.
        """
        values = jnp.asarray(self.values)
        rows, columns = jnp.asarray(self.rows), jnp.asarray(self.columns)
        weighed, k = self.at_rows(d) * values, self.nnz
        place = jnp.arange(k, dtype=jnp.int32)

        def step(H: Array, ahead: Array) -> tuple[Array, None]:
            other = jnp.minimum(place + ahead, k - 1)
            beside = (place + ahead < k) & (_taken(rows, other) == rows)
            product = jnp.where(beside, weighed * _taken(values, other), 0)
            at = H.at[columns, _taken(columns, other)]
            return at.add(product, mode=_INSIDE, wrap_negative_indices=False), None

        empty = jnp.zeros((self.width, self.width), weighed.dtype)
        turns = jnp.arange(self.longest, dtype=jnp.int32)
        upper, _ = jax.lax.scan(step, empty, turns)
        return upper + jnp.triu(upper, 1).T

    def csr(self, dtype: Any = np.float64) -> Any:
        """As SciPy's CSR array; the matrix must not be traced."""
        # Here: it is slow to import, and dense problems never need it.
        from scipy.sparse import csr_array

        counts = np.bincount(np.asarray(self.rows), minlength=self.height)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        # Copies: SciPy's own methods write into what they are given.
        values, columns = np.array(self.values, dtype), np.array(self.columns)
        return csr_array((values, columns, starts), self.shape)

    def picked(self, index: Int[Array, " m"]) -> "Picked":
        """Some rows, in any order and any number of times; padded to the longest."""
        rows = jnp.asarray(self.rows)
        first = jnp.searchsorted(rows, jnp.asarray(index), side="left")
        last = jnp.searchsorted(rows, jnp.asarray(index), side="right")
        place = first[:, None] + jnp.arange(self.longest)
        inside = place < last[:, None]
        place = jnp.where(inside, place, 0)
        values = jnp.where(inside, _taken(self.values, place), 0)
        return Picked(values, _taken(self.columns, place), self.width)

    def terms(self) -> int:
        """The longest row."""
        return self.longest + 1

    def back_terms(self) -> int:
        """The tallest column."""
        return self.tallest + 1

    def diagonal(self) -> Float[Array, " height"]:
        """The diagonal, zero where nothing is stored."""
        here = jnp.asarray(self.rows) == jnp.asarray(self.columns)
        return self.row_sums(jnp.where(here, self.values, 0))

    def norm(self) -> Scalar:
        """The Frobenius norm, rounded up."""
        return _up(tree.norm(jnp.asarray(self.values)), self.nnz)

    def matrix(self, like: Any = None) -> Float[Array, "height width"]:
        """Dense."""
        empty = jnp.zeros(self.shape, self.dtype)
        at = empty.at[jnp.asarray(self.rows), jnp.asarray(self.columns)]
        return at.add(self.values, mode=_INSIDE, wrap_negative_indices=False)

    def describe(self) -> str:
        """Kind and size as text."""
        return f"sparse {self.height} x {self.width}, {self.nnz} entries"

    def _ahead(self, x: Array) -> Array:
        return self.row_sums(jnp.asarray(self.values) * self.at_columns(x))

    def _back(self, y: Array) -> Array:
        return self.column_sums(jnp.asarray(self.values) * self.at_rows(y))


class Picked(eqx.Module):
    """Rows of a sparse matrix side by side; where a row is shorter there are zeros."""

    values: Float[Array, "m longest"]
    columns: Int[Array, "m longest"]
    width: int = eqx.field(static=True)

    def matvec(self, x: Block) -> Array:
        """The rows times x, (m,) or (m, c)."""
        return jnp.sum(_beside(self.values, x.ndim) * _taken(x, self.columns), axis=1)

    def rmatvec(self, y: Block) -> Array:
        """The rows' transpose times y, (width,) or (width, c)."""
        products = _beside(self.values, y.ndim) * y[:, None]
        empty = jnp.zeros((self.width, *y.shape[1:]), products.dtype)
        at = empty.at[self.columns]
        return at.add(products, mode=_INSIDE, wrap_negative_indices=False)

    def matrix(self) -> Float[Array, "m width"]:
        """Dense, for few rows."""
        empty = jnp.zeros((len(self.values), self.width), self.values.dtype)
        at = empty.at[jnp.arange(len(self.values))[:, None], self.columns]
        return at.add(self.values, mode=_INSIDE, wrap_negative_indices=False)


class Transposed(eqx.Module):
    """A' of a sparse A, for its products."""

    __array_ufunc__: ClassVar[None] = None

    inner: SparseMatrix

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) of A."""
        return self.inner.width, self.inner.height

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def T(self) -> SparseMatrix:
        """A."""
        return self.inner

    def __matmul__(self, y: Any) -> Array:
        if isinstance(y, SparseMatrix | Transposed):
            return NotImplemented
        return self.inner.rmatvec(jnp.asarray(y))

    def __rmatmul__(self, y: Any) -> Array:
        return self.inner.matvec(jnp.asarray(y).T).T

    def __mul__(self, c: Any) -> "Transposed":
        return (self.inner * c).T if _is_number(c) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, c: Any) -> "Transposed":
        return (self.inner / c).T if _is_number(c) else NotImplemented

    def __neg__(self) -> "Transposed":
        return (-self.inner).T

    def dot(self, y: Any) -> Array:
        """A' y, by SciPy's word."""
        return self @ y

    def transpose(self) -> SparseMatrix:
        """A, by SciPy's word."""
        return self.inner

    def diagonal(self) -> Float[Array, " height"]:
        """That of A."""
        return self.inner.diagonal()

    def toarray(self) -> Float[Array, "width height"]:
        """Dense, by SciPy's word."""
        return self.inner.matrix().T


# Places are looked at where they enter: none lies outside, and none is negative.
_INSIDE = "promise_in_bounds"


def _is_number(c: Any) -> bool:
    """Whether this is one number, traced or not."""
    known = int | float | np.number | np.ndarray | jax.Array
    return isinstance(c, known) and np.ndim(c) == 0


def _beside(values: Array, axes: int) -> Array:
    """One number an entry beside one or several columns."""
    return values if axes == 1 else values[..., None]


def _taken(v: Any, places: Any) -> Array:
    at = jnp.asarray(v).at[jnp.asarray(places)]
    return at.get(mode=_INSIDE, wrap_negative_indices=False)


def _summed(values: Any, places: Any, size: int, in_order: bool = False) -> Array:
    values = jnp.asarray(values)
    return (
        jnp.zeros(size, values.dtype)
        .at[jnp.asarray(places)]
        .add(
            values,
            mode=_INSIDE,
            indices_are_sorted=in_order,
            wrap_negative_indices=False,
        )
    )


def _columnwise(product: Callable[[Array], Array], x: Array) -> Array:
    """The product with a vector, or with each of several in turn.

    XLA gathers and adds up single numbers three times as fast as short rows.
    """
    return product(x) if x.ndim == 1 else jax.lax.map(product, x.T).T
