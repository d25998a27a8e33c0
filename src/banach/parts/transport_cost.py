"""Costs of transport: a stored matrix, or rows computed from two point clouds."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from banach.core import tree

_CELLS = 2**20  # entries of a block of computed rows: 8 MB in float64


def row_sums(A: Float[Array, "k n"]) -> Float[Array, " k"]:
    """A 1. A product reads A; a sum would be fused with what makes A and repeat it."""
    return jnp.matmul(A, jnp.ones(A.shape[1], A.dtype), precision=tree.PRECISION)


def both_sums(A: Float[Array, "k n"]) -> tuple[Float[Array, " k"], Float[Array, " n"]]:
    """(A 1, A' 1)."""
    ones = jnp.ones(A.shape[0], A.dtype)
    return row_sums(A), jnp.matmul(ones, A, precision=tree.PRECISION)


class Cost(eqx.Module):
    """A matrix C of shape (m, n) whose rows can be had a block at a time."""

    stored: ClassVar[bool]

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """(m, n)."""

    @property
    @abc.abstractmethod
    def dtype(self) -> Any:
        """Of the data."""

    @abc.abstractmethod
    def rows(self, i: Int[Array, " k"] | None) -> Float[Array, "k n"]:
        """Rows i; all of them for None."""

    @abc.abstractmethod
    def roundings(self) -> int:
        """An entry is computed up to this many units of relative roundoff."""

    def vanished(self) -> float:
        """And up to this, where squares are below the normal numbers."""
        return 0.0

    def block(self) -> int:
        """Rows that are worth holding at once."""
        m, n = self.shape
        return m if self.stored else max(1, min(m, _CELLS // n))


class DenseCost(Cost):
    """The matrix itself."""

    C: Any

    stored: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return self.C.shape

    @property
    def dtype(self) -> Any:
        """Of the matrix."""
        return self.C.dtype

    def rows(self, i: Int[Array, " k"] | None) -> Float[Array, "k n"]:
        """Looked up."""
        C = jnp.asarray(self.C)
        return C if i is None else C[i]

    def roundings(self) -> int:
        """None: the entries are the data."""
        return 0


class _Clouds(Cost):
    x: Any
    y: Any

    stored: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, int]:
        """Points by points."""
        return self.x.shape[0], self.y.shape[0]

    @property
    def dtype(self) -> Any:
        """Of the points."""
        return self.x.dtype

    def squares(self, i: Int[Array, " k"] | None) -> Float[Array, "k n"]:
        """|x_i - y_j|^2 from differences, which do not cancel as products would."""
        x, y = jnp.asarray(self.x), jnp.asarray(self.y)
        x = x if i is None else x[i]
        total = jnp.square(x[:, :1] - y[None, :, 0])
        for d in range(1, min(x.shape[1], 4)):
            total = total + jnp.square(x[:, d, None] - y[None, :, d])
        if x.shape[1] > 4:
            far = jnp.square(x[:, None, 4:] - y[None, :, 4:])
            total = total + jnp.sum(far, axis=-1)
        return total


class SquaredEuclidean(_Clouds):
    """C_ij = |x_i - y_j|^2; never stored."""

    def rows(self, i: Int[Array, " k"] | None) -> Float[Array, "k n"]:
        """Computed."""
        return self.squares(i)

    def roundings(self) -> int:
        """Differences, squares and their sum."""
        return self.x.shape[1] + 4

    def vanished(self) -> float:
        """A smallest normal number for each coordinate."""
        return _lost(self)


class Euclidean(_Clouds):
    """C_ij = |x_i - y_j|; never stored."""

    def rows(self, i: Int[Array, " k"] | None) -> Float[Array, "k n"]:
        """Computed; the derivative at coinciding points is 0."""
        square = self.squares(i)
        away = square > 0
        return jnp.where(away, jnp.sqrt(jnp.where(away, square, 1)), 0)

    def roundings(self) -> int:
        """Those of the square, halved, and one of the root."""
        return self.x.shape[1] + 5

    def vanished(self) -> float:
        """The root of what the square may have lost."""
        return _lost(self) ** 0.5


def _lost(clouds: _Clouds) -> float:
    return (clouds.x.shape[1] + 4) * float(jnp.finfo(clouds.dtype).tiny)


COSTS = {"sqeuclidean": SquaredEuclidean, "euclidean": Euclidean}
