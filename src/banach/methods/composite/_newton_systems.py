"""Newton's equations on a working set: factorised, or by conjugate gradients."""

from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " k"]
# Unknowns above which products are cheaper than a factorisation (ours).
DENSE = 2000
# Iterations of conjugate gradients at most; any of them goes downhill.
MOST = 300
# Of a scaled diagonal, added to it.
LEAST = 1e-13


def squares(A: Any, w: Vector) -> Vector:
    """sum_i w_i a_ij^2 of the columns of an array, or of a CSC array of SciPy's."""
    if not isinstance(A, np.ndarray):
        return type(A)((A.data**2, A.indices, A.indptr), A.shape).T @ w
    if np.all(w == 1):
        return np.einsum("ij,ij->j", A, A)
    return np.einsum("ij,ij,i->j", A, A, w)


class System(Protocol):
    """H >= 0 in units of its own."""

    def solved(self, right: Vector, damping: float, accuracy: float) -> Vector:
        """(H + damping diag(H))^-1 right; nothing finite where H is not >= 0."""


class Factorised:
    """H as an array, its columns scaled to one size, or to these least ones."""

    def __init__(self, H: np.ndarray, least: Vector):
        self.size = np.maximum(np.sqrt(np.maximum(np.diag(H), 0)), least)
        self.H = H / self.size[:, None] / self.size[None, :]

    def solved(self, right: Vector, damping: float, accuracy: float) -> Vector:
        """By Cholesky, to rounding."""
        from scipy import linalg

        H = self.H.copy()
        H[np.diag_indices(len(right))] += damping
        try:
            factor = linalg.cho_factor(H, overwrite_a=True, check_finite=False)
        except linalg.LinAlgError:
            return np.full_like(right, np.nan)
        inner = linalg.cho_solve(factor, right / self.size, check_finite=False)
        return inner / self.size


class Kept:
    """A factorised H_PP that also answers for sets S that differ from P in few indices.

    [H_PP V; V' D] with V = [H_PA, E_R], A = S without P, R = P without S: what left is
    held at 0 by a multiplier each, what came is a row more, and both are a small system
    beside the large one (the Schur complement of Gill, Murray, Saunders and Wright's
    active-set methods, 1990). H is a matrix that only grows to the right and below.
    """

    # Of |P|: the border above which factorising anew is cheaper, by counting (ours).
    SHARE = 1 / 8

    def __init__(self) -> None:
        self.P = np.zeros(0, int)
        self.own: Vector = np.zeros(0)  # added to the diagonal at P
        self.factor: Any = None
        self.size: Vector = np.zeros(0)
        self.border: list[int] = []  # indices that came, or left
        self.V = self.Y = np.zeros((0, 0))

    def solved(
        self, H: np.ndarray, S: np.ndarray, bent: Vector, right: Vector, least: Vector
    ) -> Vector:
        """(H_SS + diag(bent))^-1 right; not finite where it is not >= 0."""
        from scipy import linalg

        into = np.isin(self.P, S, assume_unique=True)
        came = S[np.isin(S, self.P, assume_unique=True, invert=True)]
        want = [*self.P[~into].tolist(), *came.tolist()]
        stale = self.factor is None or len(want) > self.SHARE * self.P.size
        if not stale:
            at = np.searchsorted(S, self.P[into])
            stale = not np.array_equal(self.own[into], bent[at])
        if stale and not self._factorise(H, S, bent, least):
            return np.full_like(right, np.nan)
        if stale:
            return self._inverse(right[:, None])[:, 0]
        self._surround(H, want)
        b = np.zeros(self.P.size)
        b[into] = right[at]
        x = self._inverse(b[:, None])[:, 0]
        if not want:
            return x
        more, places = came.size, np.searchsorted(S, came)
        low = np.zeros(len(want))
        D = np.zeros((low.size, low.size))
        if more:
            own = H[np.ix_(came, came)]
            own[np.diag_indices(more)] += bent[places]
            D[-more:, -more:], low[-more:] = own, right[places]
        try:
            y = linalg.solve(
                D - self.V.T @ self.Y, low - self.V.T @ x, check_finite=False,
                assume_a="sym",
            )  # fmt: skip
        except linalg.LinAlgError:
            return np.full_like(right, np.nan)
        out = np.empty_like(right)
        out[at] = (x - self.Y @ y)[into]
        if more:
            out[places] = y[-more:]
        return out

    def _factorise(
        self, H: np.ndarray, S: np.ndarray, bent: Vector, least: Vector
    ) -> bool:
        from scipy import linalg

        self.factor, self.border = None, []
        self.V = self.Y = np.zeros((S.size, 0))
        K = H[np.ix_(S, S)]
        K[np.diag_indices(S.size)] += bent
        self.size = np.maximum(np.sqrt(np.maximum(np.diag(K), 0)), least)
        K /= self.size[:, None]
        K /= self.size[None, :]
        K[np.diag_indices(S.size)] += LEAST
        try:
            # In place: a symmetric array read by columns is the same.
            self.factor = linalg.cho_factor(
                K.T, lower=True, overwrite_a=True, check_finite=False
            )
        except linalg.LinAlgError:
            return False
        self.P, self.own = S.copy(), bent.copy()
        return True

    def _inverse(self, B: np.ndarray) -> np.ndarray:
        from scipy import linalg

        inner = linalg.cho_solve(
            self.factor, B / self.size[:, None], check_finite=False
        )
        return inner / self.size[:, None]

    def _surround(self, H: np.ndarray, want: list[int]) -> None:
        """The border of these indices; what was solved for is not solved again."""
        had = {index: i for i, index in enumerate(self.border)}
        new = [index for index in want if index not in had]
        if new:
            fresh = np.zeros((self.P.size, len(new)))
            for i, index in enumerate(new):
                place = np.searchsorted(self.P, index)
                if place < self.P.size and self.P[place] == index:
                    fresh[place, i] = 1.0
                else:
                    fresh[:, i] = H[self.P, index]
            self.V = np.concatenate([self.V, fresh], 1)
            self.Y = np.concatenate([self.Y, self._inverse(fresh)], 1)
            had |= {index: len(self.border) + i for i, index in enumerate(new)}
        order = [had[index] for index in want]
        self.V, self.Y, self.border = self.V[:, order], self.Y[:, order], list(want)


class Products:
    """B' diag(d) B + diag(bent), a last column of ones beside B or none, in products.

    The scaled equations are solved by conjugate gradients.
    """

    def __init__(self, B: Any, d: Vector, bent: Vector, least: Vector):
        self.B, self.d, self.bent = B, d, bent
        self.ones = bent.size > B.shape[1]
        size = np.append(squares(B, d), d.sum())[: bent.size] + bent
        self.size = np.maximum(np.sqrt(np.maximum(size, 0)), least)

    def _times(self, v: Vector) -> Vector:
        v = v / self.size
        k = self.B.shape[1]
        z = self.d * (self.B @ v[:k] + (v[k] if self.ones else 0))
        out = self.B.T @ z
        out = np.append(out, z.sum()) if self.ones else out
        return (out + self.bent * v) / self.size

    def solved(self, right: Vector, damping: float, accuracy: float) -> Vector:
        """By conjugate gradients, until the residual is `accuracy` of the first."""
        r = right / self.size
        x, p, square = np.zeros_like(r), r.copy(), r @ r
        end = max(accuracy, 1e-12) ** 2 * square
        for _ in range(MOST):
            if not square > end:
                break
            Hp = self._times(p) + damping * p
            bend = p @ Hp
            if not bend > 0:
                break
            x = x + square / bend * p
            r = r - square / bend * Hp
            new = r @ r
            p, square = r + new / square * p, new
        return x / self.size
