"""An upper bound of the largest eigenvalue of a Gram matrix in a few products.

Power and Lanczos iterations bound it from below, and what a few products with a
matrix prove for certain is no better than its Frobenius norm: a direction that the
start misses is never seen. What can be bounded is how rarely a *random* start misses
a direction (Kuczynski and Wozniakowski 1992). Here the start is a block of Gaussian
columns, which makes that chance as small as one likes, and what follows is the
residual of the recurrence as it was computed, roundings and all.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

CHANCE = 1e-12  # that a bound made here is none
PRODUCTS = 10  # with A or A', at most
ENOUGH = 1.2  # bound over the lower bound at which to stop
_NARROW, _WIDEST = 8, 32  # columns of the start
Product = Callable[[np.ndarray], np.ndarray]
_GRID = np.concatenate([np.geomspace(1e-3, 1, 60), np.geomspace(1.1, 1e6, 140)])


class Spectrum(NamedTuple):
    """low <= lambda_max < high, low up to rounding, high but for a chance of CHANCE."""

    low: float
    high: float
    products: int


def columns_for(size: int) -> int:
    """Columns of the start with which no spectrum makes the bound twice too large.

    With t of `hidden(b)` the norm of T_5(3), 3363 for ten products, must exceed the
    root of size b / t.
    """
    half = PRODUCTS // 2
    reach = math.cosh(half * math.acosh(3.0)) ** 2
    for b in range(_NARROW, _WIDEST, 8):
        if size * b / hidden(b) <= reach:
            return b
    return _WIDEST


def hidden(columns: int) -> float:
    """t with P(||v'X||^2 < t) <= CHANCE for a unit v and Gaussian X of b columns.

    ||v'X||^2 is chi-squared with b degrees of freedom: P(< t) <= (t/2)^(b/2) /
    Gamma(b/2 + 1).
    """
    half = columns / 2
    return 2 * math.exp((math.log(CHANCE) + math.lgamma(half + 1)) / half)


def largest(gram: Product, size: int, error: float, top: float) -> Spectrum:
    """Bounds of lambda_max(G) for a symmetric positive semidefinite G.

    Args:
        gram: computes G Q for a Q of shape (size, b), in float64; two products.
        size: the order of G.
        error: bounds ||computed - G Q||_F / ||Q||_F.
        top: an upper bound that is known for certain.

    With Y_0 = X / ||X|| for a Gaussian X, and whatever numbers a_j, b_j > 0, let E_j be
    what is missing in

        G Y_j = b_j Y_{j-1} + a_j Y_j + b_{j+1} Y_{j+1} + E_j,      j < k,

    J the tridiagonal matrix of these numbers and v a unit eigenvector of the largest
    eigenvalue m. The rows c_j = v'Y_j obey (m - J) c = b_k c_k e_k + (v'E_j)_j. Beyond
    the eigenvalues of J the inverse R of m - J is entrywise nonnegative and falls as m
    grows, so that

        sqrt(t) / ||X|| <= ||c_0|| <= R_{0,k-1} b_k ||Y_k|| + sum_j R_{0j} ||E_j||

    fails from some number on, and m is below it. The left side holds but for a chance
    of CHANCE: v depends on the problem alone, X on its size alone. That no adversary
    looked at X is the whole assumption.
    """
    b = columns_for(size)
    X = np.random.default_rng([0x9E3779B9, size]).standard_normal((size, b))
    start = float(np.linalg.norm(X))
    least = 0.999 * math.sqrt(hidden(b)) / start
    before, Y = np.zeros_like(X), X / start
    a: list[float] = []
    off: list[float] = []
    e: list[float] = []
    link, low, high, spent = 0.0, 0.0, top, 0
    u = np.finfo(np.float64).eps
    for _ in range(PRODUCTS // 2):
        W, spent = gram(Y), spent + 2
        own = float(np.vdot(Y, W))
        W -= own * Y
        W -= link * before
        rest = float(np.linalg.norm(W))
        # Roundings of the three-term combination, and of norms that are nearly 1.
        e.append(1.001 * (error + 8 * u * (own + link + rest)))
        a.append(own)
        high = min(high, _beyond(a, off, e, rest * 1.001, least))
        low = max(low, float(np.linalg.eigvalsh(_jacobi(a, off))[-1]))
        if high <= ENOUGH * low or rest <= 1e-10 * low:
            break
        off.append(rest)
        before, Y, link = Y, W / rest, rest
    return Spectrum(low, high, spent)


def _jacobi(a: list[float], off: list[float]) -> np.ndarray:
    return np.diag(a) + np.diag(off, 1) + np.diag(off, -1)


def _beyond(
    a: list[float], off: list[float], e: list[float], rest: float, least: float
) -> float:
    """The first number of the grid above J at which the inequality fails."""
    J = _jacobi(a, off)
    k = len(a)
    edge = float(np.linalg.eigvalsh(J)[-1]) * (1 + 1e-9)
    tried = edge * (1 + _GRID)
    want = np.zeros((len(tried), k, 2))
    want[:, :, 0] = e
    want[:, -1, 1] = rest
    with np.errstate(all="ignore"):
        R = np.linalg.solve(tried[:, None, None] * np.eye(k) - J, want)
    fails = 1.0001 * R[:, 0].sum(axis=-1) < least
    return float(tried[np.argmax(fails)]) if fails.any() else math.inf


def square(A: np.ndarray, w: np.ndarray | None = None, ones: bool = False) -> float:
    """sum_i w_i (||a_i||^2 + 1), the 1 with a column of ones: the trace of the Gram."""
    if w is None:
        return float(np.linalg.norm(A)) ** 2 + (len(A) if ones else 0)
    return float(w @ (np.einsum("ij,ij->i", A, A) + (1.0 if ones else 0.0)))


def of_matrix(
    A: Any, w: np.ndarray | None = None, ones: bool = False, trace: float | None = None
) -> Spectrum:
    """Bounds of lambda_max([A 1]' diag(w) [A 1]), the column of ones where asked for.

    A is a dense or SciPy-sparse float64 matrix, w >= 0; no square of an entry that
    counts may overflow or vanish. `trace` is the sum of squares where it is known.
    """
    n, p = A.shape
    trace = square(A, w, ones) if trace is None else trace
    # Of products of n, p and a few terms, in any order; ||(|A|)||_2 <= ||A||_F.
    error = 2 * (n + p + 16) * float(np.finfo(np.float64).eps) * trace
    top = trace * (1 + n * p * float(np.finfo(np.float64).eps))
    gram = _tall(A, w, ones) if p + ones <= n else _wide(A, w, ones)
    return largest(gram, min(n, p + ones), error, top)


def _tall(A: Any, w: np.ndarray | None, ones: bool) -> Product:
    def gram(Q: np.ndarray) -> np.ndarray:
        Z = A @ Q[:-1] + Q[-1] if ones else A @ Q
        Z = Z if w is None else w[:, None] * Z
        Y = A.T @ Z
        return np.concatenate([Y, Z.sum(axis=0)[None]]) if ones else Y

    return gram


def _wide(A: Any, w: np.ndarray | None, ones: bool) -> Product:
    root = None if w is None else np.sqrt(w)[:, None]

    def gram(Q: np.ndarray) -> np.ndarray:
        Q = Q if root is None else root * Q
        Z = A @ (A.T @ Q)
        Z = Z + Q.sum(axis=0) if ones else Z
        return Z if root is None else root * Z

    return gram
