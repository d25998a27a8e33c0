"""Newton's equations on a working set: factorised, or by conjugate gradients."""

from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " k"]
# Unknowns above which products are cheaper than a factorisation (ours).
DENSE = 2000
# Iterations of conjugate gradients at most; any of them goes downhill.
MOST = 300


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
