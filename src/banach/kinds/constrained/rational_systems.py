"""Linear equations judged in rational arithmetic: proofs, not tolerances."""

from fractions import Fraction

import numpy as np
from jaxtyping import Float

LARGEST = 4000
"""Entries of A up to which an exact elimination is worth its time."""


def inconsistent(
    A: Float[np.ndarray, "p n"], b: Float[np.ndarray, " p"]
) -> list[Fraction] | None:
    """A vector y with y'A = 0 and y'b = 1 exactly, or None.

    Such a y proves that A x = b has no solution, for the very floating-point numbers
    given. None says nothing: A x = b is consistent, nearly so (a floating residual
    asks first), or larger than `LARGEST` entries.
    """
    A, b = np.asarray(A, float), np.asarray(b, float)
    if A.size > LARGEST or not (np.isfinite(A).all() and np.isfinite(b).all()):
        return None
    if len(b) == 0 or not _suspect(A, b):
        return None
    p, n = A.shape
    rows = [
        [Fraction(v) for v in A[i]] + [Fraction(b[i])] + [Fraction(i == j)
                                                          for j in range(p)]
        for i in range(p)
    ]  # fmt: skip
    done = 0
    for column in range(n):
        pivot = next((i for i in range(done, p) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        for i in range(done + 1, p):
            if rows[i][column]:
                factor = rows[i][column] / rows[done][column]
                rows[i] = [
                    u - factor * v for u, v in zip(rows[i], rows[done], strict=True)
                ]
        done += 1
    for row in rows[done:]:
        if row[n]:
            return [v / row[n] for v in row[n + 1 :]]
    return None


def _suspect(A: np.ndarray, b: np.ndarray) -> bool:
    size = np.maximum(np.abs(A).max(axis=1, initial=0), np.abs(b))
    size = np.where(size > 0, size, 1)
    A, b = A / size[:, None], b / size
    x = np.linalg.lstsq(A, b, rcond=None)[0]
    return bool(np.max(np.abs(A @ x - b)) > 1e-10)
