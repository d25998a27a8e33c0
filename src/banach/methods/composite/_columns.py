"""Columns of a linear model that a method works on, and what is known of them."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from banach.core import unchanged
from banach.methods.composite._newton_systems import DENSE, Kept, squares

Vector = Float[np.ndarray, " k"]


class Columns:
    """Some columns W of a model's A, in an order that only grows.

    W: their numbers. B: themselves, (n, |W|); dense ones are centred by their weighted
    means `centre` where the model has an intercept. G = B' diag(w) B where the losses
    are squares and W is small. unit: 1 / sqrt(w'a_j^2) of every column of A.
    """

    def __init__(self, model: Any):
        A, n = model.A, model.A.shape[0]
        self.A, self.weight = A, model.weight
        self.dense = isinstance(A, np.ndarray)
        self.centred = self.dense and model.intercept
        self.even = bool(np.all(self.weight == 1))
        self.W = np.zeros(0, int)
        # Dense columns lie in the rows of an array with room for more.
        self._rows = np.empty((0, n))
        self.B: Any = self._rows.T if self.dense else A[:, :0]
        self.centre = np.zeros(0)
        self.G = np.zeros((0, 0)) if model.constant else None
        self.kept = Kept()  # the factorisation of some of it
        self.inside: Bool[np.ndarray, " p"] = np.zeros(A.shape[1], bool)
        self._last: tuple[Vector, Vector] | None = None
        self.busy = False  # in a run that has not ended
        like = A, model.weight
        self.unit = unchanged.found("units of columns", like, self._units, True)

    def _units(self) -> Vector:
        size = squares(self.A, self.weight)
        return 1 / np.sqrt(np.where(size > 0, size, 1))

    def add(self, new: Int[np.ndarray, " m"]) -> None:
        """Columns outside W to the right of those in it."""
        if not new.size:
            return
        B = self.A[:, new]
        mean = np.zeros(new.size)
        if self.centred:
            mean = self.weight @ B / self.weight.sum()
            B = B - mean
        if self.W.size + new.size > DENSE:
            self.G = None  # nobody factorises it
        if self.G is not None:
            V = self.weighted(B, self.weight)
            cross, own = full(self.B.T @ V), full(B.T @ V)
            self.G = np.block([[self.G, cross], [cross.T, own]])
        self._join(B)
        self.W, self.centre = np.append(self.W, new), np.append(self.centre, mean)
        self.inside[new] = True

    def gradient(self, u: Vector) -> Vector:
        """A'u; a path asks for it where the point before has ended."""
        if self._last is None or not np.array_equal(self._last[0], u):
            self._last = u, u @ self.A if self.dense else self.A.T @ u
        return self._last[1]

    def weighted(self, B: Any, w: Vector) -> Any:
        """The rows of B times w; B itself where nothing changes: B'B costs half."""
        if w is self.weight and self.even:
            return B
        return B * w[:, None] if self.dense else B.multiply(w[:, None]).tocsc()

    def _join(self, B: Any) -> None:
        if not self.dense:
            from scipy import sparse

            self.B = sparse.hstack([self.B, B], format="csc")
            return
        k = self.W.size + B.shape[1]
        if k > len(self._rows):
            rows = np.empty((max(k, 2 * len(self._rows)), len(B)))
            rows[: self.W.size] = self.B.T
            self._rows = rows
        self._rows[self.W.size : k] = B.T
        self.B = self._rows[:k].T


def of(model: Any) -> Columns:
    """Of a model; along a path, those that the point before has gathered."""
    like = (model.A, model.weight)
    name = f"columns {model.intercept} {model.constant}"
    kept = unchanged.found(name, like, lambda: Columns(model))
    # Two runs in turns would each take the other's columns for solved.
    return Columns(model) if kept.busy else kept


def full(M: Any) -> np.ndarray:
    """A product as an array."""
    return M if isinstance(M, np.ndarray) else M.toarray()
