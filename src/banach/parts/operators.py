"""Linear operators: matrices, functions, normal equations; sparse ones in `sparse`.

An `Operator` maps pytrees to pytrees. What a certificate needs of it beside products
is the companion |A| |x| and the length of its longest row: the computed A x is then
within gam(terms) |A| |x| of the true one, entry by entry.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.door import Made
from banach.core.tree import PRECISION

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]


class Operator(eqx.Module, metaclass=Made):
    """A linear map; `entrywise` says whether |A|, and a bound of ||A||, are known."""

    entrywise: ClassVar[bool] = False
    symmetric: ClassVar[bool] = False

    def definite(self) -> bool:
        """Whether these very (concrete) data make A positive definite, by structure."""
        return False

    @abc.abstractmethod
    def matvec(self, x: PyTree) -> PyTree:
        """A x."""

    def rmatvec(self, y: PyTree, like: PyTree) -> PyTree:
        """A' y, where `like` has the structure of x."""
        return jax.linear_transpose(self.matvec, like)(y)[0]

    def absolute(self, x: PyTree) -> PyTree | None:
        """|A| x for x >= 0, |A| entrywise; None where the entries are unknown."""
        return None

    def terms(self) -> int:
        """Roundings on the longest path of one entry of A x."""
        raise NotImplementedError

    def back_terms(self) -> int:
        """Roundings on the longest path of one entry of A'y."""
        raise NotImplementedError

    def column_squares(self) -> Array:
        """The sums of squares over the columns of a matrix."""
        raise NotImplementedError

    def vanished(self, x: PyTree) -> PyTree:
        """What products below the normal numbers may lose, entry by entry of A x.

        x >= 0 holds the absolute values; numbers below the normal ones count as 0.
        """
        ones = jax.tree.map(jnp.ones_like, x)
        far = (self.terms() + 1) * (2 + tree.max_abs(x))
        least = float(jnp.finfo(tree.dtype(x)).tiny)
        return jax.tree.map(lambda a: 2 * least * (far + a), self.absolute(ones))

    def diagonal(self) -> PyTree | None:
        """The diagonal in the structure of x, or None where it is unknown."""
        return None

    def norm(self) -> Scalar | None:
        """Upper bound of the spectral norm, or None."""
        return None

    def matrix(self, like: PyTree) -> Float[Array, "m n"]:
        """Dense, in the order of tree.ravel; n products."""
        flat, back = tree.ravel(like)
        rows = jax.vmap(lambda e: tree.ravel(self.matvec(back(e)))[0])
        return rows(jnp.eye(flat.size, dtype=flat.dtype)).T

    @abc.abstractmethod
    def describe(self) -> str:
        """Kind and size as text."""


class DenseMatrix(Operator):
    """A matrix held as an array (m, n), acting on vectors (n,)."""

    entrywise: ClassVar[bool] = True

    entries: Float[Array, "m n"]

    def matvec(self, x: Vector) -> Vector:
        """A x."""
        return jnp.matmul(self.entries, x, precision=PRECISION)

    def absolute(self, x: Vector) -> Vector:
        """|A| x."""
        return jnp.matmul(jnp.abs(self.entries), x, precision=PRECISION)

    def terms(self) -> int:
        """The number of columns."""
        return self.entries.shape[1] + 1

    def back_terms(self) -> int:
        """The number of rows."""
        return self.entries.shape[0]

    def column_squares(self) -> Vector:
        """The sums of squares over columns."""
        return jnp.sum(jnp.asarray(self.entries) * self.entries, axis=0)

    def diagonal(self) -> Vector:
        """The diagonal."""
        return jnp.diagonal(self.entries)

    def norm(self) -> Scalar:
        """The Frobenius norm, rounded up."""
        return _up(tree.norm(self.entries), self.entries.size)

    def matrix(self, like: PyTree) -> Float[Array, "m n"]:
        """The array itself."""
        return jnp.asarray(self.entries)

    def describe(self) -> str:
        """Kind and size as text."""
        return "dense {} x {}".format(*self.entries.shape)


class FunctionOperator(Operator):
    """A linear JAX function of the variable, `fun(x, *args)`."""

    fun: Callable[..., PyTree]
    args: tuple

    def matvec(self, x: PyTree) -> PyTree:
        """fun(x, *args)."""
        out = jax.tree.leaves(self.fun(x, *self.args))
        return jax.tree.unflatten(jax.tree.structure(x), out)

    def describe(self) -> str:
        """Kind as text."""
        return "matrix-free"


class NormalOperator(Operator):
    """A'A + ridge I for a dense or sparse A: symmetric, and definite for ridge > 0."""

    entrywise: ClassVar[bool] = True
    symmetric: ClassVar[bool] = True

    inner: Operator
    ridge: Scalar
    columns: int = eqx.field(static=True)

    def definite(self) -> bool:
        """For ridge > 0."""
        return bool(self.ridge > 0)

    def matvec(self, x: Vector) -> Vector:
        """A'(A x) + ridge x."""
        ridge = jnp.asarray(self.ridge, x.dtype)
        return self.inner.rmatvec(self.inner.matvec(x), x) + ridge * x

    def absolute(self, x: Vector) -> Vector:
        """|A|'|A| x + ridge x."""
        ahead = self.inner.absolute(x)
        back = jax.linear_transpose(self.inner.absolute, x)(ahead)[0]
        return back + jnp.asarray(self.ridge, x.dtype) * x

    def vanished(self, x: Vector) -> Vector:
        """Those of A x, carried through |A'|, and those of A' (A x) and ridge x."""
        ahead = self.inner.absolute(x)
        back = jax.linear_transpose(self.inner.absolute, x)
        lost, ridge = self.inner.vanished(x), jnp.asarray(self.ridge, x.dtype)
        least = float(jnp.finfo(x.dtype).tiny)
        far = self.terms() * (2 + tree.max_abs(ahead)) + ridge + tree.max_abs(x)
        return 1.01 * back(lost + 2 * least)[0] + 4 * least * far

    def terms(self) -> int:
        """Those of A, and as many as A' has."""
        return self.inner.terms() + self.inner.back_terms() + 3

    def diagonal(self) -> Vector:
        """Squared norms of the columns, plus ridge."""
        squares = self.inner.column_squares()
        return squares + jnp.asarray(self.ridge, squares.dtype)

    def norm(self) -> Scalar:
        """||A||_F^2 + ridge, rounded up."""
        square = self.inner.norm() ** 2
        return _up(square + jnp.asarray(self.ridge, square.dtype), 8)

    def describe(self) -> str:
        """Kind and size as text."""
        return f"A'A + ridge I, A {self.inner.describe()}"


def _up(value: Any, roundings: int) -> Scalar:
    """A positive sum's computed root, enlarged by what its roundings may have taken."""
    value = jnp.asarray(value)
    return value * (1 + (roundings + 4) * jnp.finfo(value.dtype).eps)
