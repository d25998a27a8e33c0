"""An upper bound of ||A||^2 within a factor of 2, from ten products with A.

Power and Lanczos iterations bound it from below, and what a few products with a
matrix prove for certain is no better than its Frobenius norm: a direction that the
start misses is never seen. What can be bounded is how rarely a *random* start misses
a direction (Kuczynski and Wozniakowski 1992). Here the start is a block of Gaussian
columns, which makes that chance as small as one likes, and what is bounded is the
residual of the recurrence as it was computed, roundings and all.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from banach.core import compat, tree
from banach.core.facts import CONSTRUCTION, LIKELY
from banach.parts.operators import DenseMatrix, NormalOperator, Operator
from banach.parts.sparse import SparseMatrix

CHANCE = 1e-12  # that a bound made here is none; `facts.LIKELY` says it in words
PRODUCTS = 10  # with A or A', at most
ENOUGH = 1.2  # bound over the lower bound at which to stop
SMALL = 128
"""Up to here a Gram matrix takes about as many operations as ten products."""
_NARROW, _WIDEST = 8, 32  # columns of the start
_SQUARINGS = 9
_GRID = np.concatenate([np.geomspace(1e-3, 1, 60), np.geomspace(1.1, 1e6, 140)])
_EPS = float(np.finfo(np.float64).eps)

Product = Callable[[np.ndarray], np.ndarray]


class Spectrum(NamedTuple):
    """low <= lambda_max < high, low up to rounding, high but for a chance of CHANCE."""

    low: float
    high: float
    products: int


def known_how(size: int, *data: Any) -> str:
    """The provenance of `upper`, by the smaller side of [A 1]."""
    certain = size <= SMALL or compat.any_tracer(data)
    return CONSTRUCTION if certain else LIKELY


def upper(A: Any, w: np.ndarray | None = None, ones: bool = False) -> float:
    """Upper bound of lambda_max([A 1]' diag(w) [A 1]), the 1 where `ones` says so.

    A is a dense float64 matrix. Up to SMALL rows or columns it is certain: the least of
    ||B||_F^2, ||B||_1 ||B||_inf and tr(G^m)^(1/m) of the Gram matrix. 0 of a zero
    matrix; infinite where no float is large enough.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        A, w, ones, unit = _in_range(A, w, ones)
        if not 0 < unit < np.inf:
            return unit
        if min(A.shape[0], A.shape[1] + ones) > SMALL:
            top = of_matrix(A, w, ones).high
        else:
            top = _small(_whole(A, w, ones))
        return float(np.float64(top) * (1 + 1e-9) * unit * unit)


def norm(A: Operator) -> Any:
    """Upper bound of the spectral norm of an operator whose entries are known."""
    if compat.any_tracer(A):
        return A.norm()
    # Above in the dtype of the data too.
    up = 1 + 8 * float(np.finfo(tree.dtype(A)).eps)
    if isinstance(A, NormalOperator):
        return up * (float(norm(A.inner)) ** 2 + float(A.ridge))
    if isinstance(A, DenseMatrix):
        return up * math.sqrt(upper(np.asarray(A.entries, np.float64)))
    if isinstance(A, SparseMatrix):
        return up * math.sqrt(upper_sparse(A.csr()))
    return A.norm()


class Columns(NamedTuple):
    """[(A - 1 m') D, d 1], the columns of A moved and scaled, and one of ones."""

    scale: np.ndarray  # D
    mean: np.ndarray  # m
    level: float  # d


def upper_sparse(
    A: Any, w: np.ndarray | None = None, seen: Columns | None = None
) -> float:
    """Upper bound of lambda_max(C'diag(w) C), C = A or `seen` of it, never formed.

    A is one of SciPy's CSR matrices, in float64. As `upper`, but the Gram matrix of up
    to SMALL rows or columns is made of products with the identity. Those of A and of
    m and 1 may cancel: their roundings are charged by their sizes.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        C = _Factors(A, w, seen)
        if not 0 < C.unit < np.inf:
            return C.unit
        if min(C.shape) > SMALL:
            top = largest(C.gram, min(C.shape), C.error, C.size**2).high
        else:
            top = C.small()
        return float(np.float64(top) * (1 + 1e-9) * C.unit * C.unit)


class _Factors:
    """sqrt(w) C over `unit`, as S - r q' beside a column d r, by its products.

    `size` bounds the sum of their Frobenius norms, `error` what the roundings of the
    factors and of both products of `gram` add up to.
    """

    def __init__(self, A: Any, w: np.ndarray | None, seen: Columns | None):
        n, p = A.shape
        self.r = np.ones(n) if w is None else np.sqrt(w)
        self.beside = seen is not None
        scale, mean, level = seen or Columns(np.ones(p), np.zeros(p), 0.0)
        self.q, self.d = scale * mean, float(level)
        self.S = A.copy()
        self.S.data = np.repeat(self.r, np.diff(A.indptr)) * A.data * scale[A.indices]
        self.unit = 1.0
        self.size = self._size()
        if not 1e-50 < self.size < 1e50:
            most = np.max(self.r) * max(np.max(np.abs(self.q)), self.d)
            self.unit = float(max(np.max(np.abs(self.S.data)), most))
            if 0 < self.unit < np.inf:
                self.S.data /= self.unit
                self.q, self.d = self.q / self.unit, self.d / self.unit
                self.size = self._size()
        self.shape = n, p + self.beside
        self.error = 2 * (n + p + 24) * _EPS * self.size**2
        self.back = self.S.T.tocsr()

    def _size(self) -> float:
        beside = np.linalg.norm(self.r) * (np.linalg.norm(self.q) + self.d)
        return 1.0001 * float(np.linalg.norm(self.S.data) + beside)

    def gram(self, Q: np.ndarray) -> np.ndarray:
        """The smaller of C'C and C C' times a block."""
        if self.shape[1] <= self.shape[0]:
            return self._times_back(self._times(Q))
        return self._times(self._times_back(Q))

    def _times(self, Q: np.ndarray) -> np.ndarray:
        if not self.beside:
            return self.S @ Q
        return self.S @ Q[:-1] + np.outer(self.r, self.d * Q[-1] - self.q @ Q[:-1])

    def _times_back(self, Z: np.ndarray) -> np.ndarray:
        Y = self.back @ Z
        if not self.beside:
            return Y
        total = self.r @ Z
        return np.concatenate([Y - np.outer(self.q, total), self.d * total[None]])

    def small(self) -> float:
        """A certain bound of the largest eigenvalue of C'C."""
        m = min(self.shape)
        eye, step = np.eye(m), 16
        blocks = [self.gram(eye[:, k : k + step]) for k in range(0, m, step)]
        G = np.concatenate(blocks, axis=1)
        G = (G + G.T) / 2
        top = _largest_of(G) if np.linalg.norm(G) > 0 else 0.0
        top = top * (1 + 4 * m * m * _EPS) + self.error * math.sqrt(m)
        return min(top, self.size**2)


def of_matrix(A: Any, w: np.ndarray | None = None, ones: bool = False) -> Spectrum:
    """Bounds of lambda_max([A 1]' diag(w) [A 1]) whose squares stay in range."""
    n, p = A.shape
    trace = _trace(A, w, ones)
    # Of products of n, p and a few terms, in any order; || |A| ||_2 <= ||A||_F.
    error = 2 * (n + p + 16) * _EPS * trace
    gram = _tall(A, w, ones) if p + ones <= n else _wide(A, w, ones)
    top = trace * (1 + n * p * _EPS)
    return largest(gram, min(n, p + ones), error, top)


def columns_for(size: int) -> int:
    """Columns of the start with which no spectrum makes the bound twice too large.

    That takes T_5(3)^2 >= size b / t, with t of `hidden(b)`, for ten products: up to a
    size of 850,000.
    """
    reach = math.cosh(PRODUCTS // 2 * math.acosh(3.0)) ** 2
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


def largest(
    gram: Product,
    size: int,
    error: float,
    top: float,
    start: np.ndarray | None = None,
) -> Spectrum:
    """Bounds of lambda_max(G) for a symmetric positive semidefinite G that is not 0.

    Args:
        gram: computes G Q for a Q of shape (size, b), in float64; two products.
        size: the order of G.
        error: bounds ||computed - G Q||_F / ||Q||_F.
        top: an upper bound that is known for certain.
        start: X in place of the Gaussian one, which depends on `size` alone.

    With Y_0 = X / ||X||_F for a Gaussian X, and whatever numbers a_j and b_j > 0 are
    chosen, let E_j be what is missing in

        G Y_j = b_j Y_{j-1} + a_j Y_j + b_{j+1} Y_{j+1} + E_j,      j < k,

    J the tridiagonal matrix of these numbers and v a unit eigenvector of the largest
    eigenvalue m. The rows c_j = v'Y_j obey (m - J) c = b_k c_k e_k + (v'E_j)_j. Beyond
    the eigenvalues of J the inverse R of m - J is entrywise nonnegative and falls as m
    grows. So

        sqrt(t) / ||X|| <= ||c_0|| <= R_{0,k-1} b_k ||Y_k|| + sum_j R_{0j} ||E_j||

    fails from some number on, and m is below it. The left side holds but for a chance
    of CHANCE, because v does not depend on X: nobody chose the data with this X in
    mind. That is the whole assumption.
    """
    X = start
    if X is None:
        X = np.random.default_rng(size).standard_normal((size, columns_for(size)))
    norm = float(np.linalg.norm(X))
    least = 0.999 * math.sqrt(hidden(X.shape[1])) / norm
    before, Y = np.zeros_like(X), X / norm
    diagonal: list[float] = []
    beside: list[float] = []
    missing: list[float] = []
    link, low, high = 0.0, 0.0, top
    products = 0
    while products < PRODUCTS:
        products += 2
        W = gram(Y)
        own = float(np.vdot(Y, W))
        W -= own * Y
        W -= link * before
        rest = float(np.linalg.norm(W))
        # Roundings of the combination too, and of norms that are 1 but for theirs.
        missing.append(1.001 * (error + 8 * _EPS * (own + link + rest)))
        diagonal.append(own)
        J = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        ritz = float(np.linalg.eigvalsh(J)[-1])
        high = min(high, _beyond(J, ritz, missing, 1.001 * rest, least))
        low = max(low, ritz)
        if high <= ENOUGH * low or rest <= 1e-10 * low:
            break
        beside.append(rest)
        before, Y, link = Y, W / rest, rest
    return Spectrum(low, high, products)


def _beyond(
    J: np.ndarray, ritz: float, missing: list[float], rest: float, least: float
) -> float:
    """The first number of a grid above the eigenvalues of J that is excluded."""
    k = len(J)
    tried = ritz * (1 + _GRID)
    right = np.zeros((len(tried), k, 1))
    right[:, :, 0] = missing
    right[:, -1, 0] += rest
    R = np.linalg.solve(tried[:, None, None] * np.eye(k) - J, right)
    excluded = 1.0001 * R[:, 0, 0] < least
    return float(tried[np.argmax(excluded)]) if excluded.any() else math.inf


def _small(B: np.ndarray) -> float:
    """A certain bound of ||B||^2: norms, and powers of the smaller Gram matrix."""
    n, p = B.shape
    m, a = min(n, p), np.abs(B)
    square, sums = float(np.sum(a * a)), float(a.sum(0).max() * a.sum(1).max())
    G = B.T @ B if p <= n else B @ B.T
    top = _largest_of(G)
    top = top * (1 + 4 * m * m * _EPS) + (max(n, p) + 2) * _EPS * square
    return min(min(square, sums) * (1 + n * p * _EPS), top)


def _largest_of(G: np.ndarray) -> float:
    """Above the largest eigenvalue of a symmetric G, but for roundings."""
    log, power = 0.0, 1.0
    for _ in range(_SQUARINGS):
        size = float(np.linalg.norm(G))
        log, power = log + math.log(size) * power, power / 2
        G = G / size
        G = G @ G
    # lambda_max(G) <= ||G||_F; a squaring errs by m u ||G||_F^2 <= m^2 u ||G^2||.
    return math.exp(log + math.log(np.linalg.norm(G)) * power)


def _in_range(A: Any, w: np.ndarray | None, ones: bool) -> tuple:
    """The same over unit^2, (A, w, ones, unit), whose squares can be summed.

    As it is, and no copy, wherever that is possible.
    """
    if 1e-100 < _trace(A, w, ones) < 1e100:
        return A, w, ones, 1.0
    A = _whole(A, w, ones)
    big = float(abs(A).max()) if min(A.shape) else 0.0
    return A / big if 0 < big < np.inf else A, None, False, big


def _trace(A: Any, w: np.ndarray | None, ones: bool) -> float:
    """sum_i w_i (||a_i||^2 + 1)."""
    if w is None:
        entries = A.ravel("K")
        return float(entries @ entries) + ones * A.shape[0]
    rows = np.einsum("ij,ij->i", A, A)
    return float(w @ (rows + 1.0 if ones else rows))


def _whole(A: Any, w: np.ndarray | None, ones: bool) -> Any:
    """sqrt(diag(w)) [A 1]."""
    if ones:
        A = np.concatenate([A, np.ones((len(A), 1))], axis=1)
    return A if w is None else np.sqrt(w)[:, None] * A


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
