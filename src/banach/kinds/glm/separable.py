"""Data for which a generalised linear model has no minimiser, proved.

Along a direction d every loss of logistic, softmax and Poisson models is monotone or
constant, and some fall for ever where d *separates* the data:

    logistic  y_i <a_i, d> >= 0 for all i
    softmax   <a_i, d_k> <= <a_i, d_{y_i}> for all i and k
    Poisson   <a_i, d> = 0 where y_i > 0, and <= 0 where y_i = 0

each with one strict inequality at least, and d without a penalty. Then no minimiser
exists: from any x, x + d is lower. Three directions are tried: the point x itself (in
floating point with its error), one column at a time (signs only), and for small data
that of a linear program, rounded to small denominators and judged in rational
arithmetic. None of them proves that a minimiser exists.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from banach.core import compat
from banach.core.rounding import gam
from banach.kinds.glm import design
from banach.kinds.glm import named_columns as labelled
from banach.kinds.glm.losses import LogisticLoss, PoissonLoss, SoftmaxLoss
from banach.terms.norms import L1, ElasticNet, SquaredL2, Zero

PROGRAM = 20_000
"""Entries of the rows up to which a linear program looks for a direction."""
FITTED = 8.0
"""|z| above which one may: on data that are not separated no z need grow so far."""
DENOMINATORS = (1, 12, 1000)


def unattained(problem: Any, x: Any) -> str | None:
    """Why this model has no minimiser, or None, which says nothing."""
    loss, term = problem.loss, problem.term
    if not isinstance(loss, LogisticLoss | SoftmaxLoss | PoissonLoss):
        return None
    if not isinstance(term, Zero | SquaredL2 | L1 | ElasticNet):
        return None
    if compat.any_tracer((problem, x)) or not hasattr(problem.A, "dtype"):
        return None
    shape = (problem.A.shape[1], *problem.space().shape[1:])
    free = np.broadcast_to(np.asarray(term.unpenalised), shape)
    if not free.any():
        return None
    A, y = design.host(problem.A, np.float64), np.asarray(problem.y)
    x = np.asarray(x, float)
    if problem.weight is not None:
        felt = np.asarray(problem.weight) > 0
        A, y = A[felt], y[felt]
    if problem.intercept:
        A = _with_ones(A)
        free = np.concatenate([free, np.ones((1, *shape[1:]), bool)])
    d = np.where(free, x, 0)
    if not isinstance(loss, PoissonLoss) and _strict(loss, A, y, d):
        return (
            "no minimiser exists: the data are separable, x itself puts every row on "
            f"its side{_ALL_THE_SAME}"
        )
    column = _column(loss, A, y, free)
    if column is not None:
        j, sign, k = column
        return (
            f"no minimiser exists: sending {labelled.coefficient(problem, j, k)} to "
            f"{sign}inf lowers some losses and raises none{_ALL_THE_SAME}"
        )
    rows = A.shape[0] * (A.shape[1] * loss.classes**2 if _many(loss) else A.shape[1])
    far = np.all(np.isfinite(d)) and np.max(np.abs(A @ d), initial=0) > FITTED
    if rows <= PROGRAM and far and _programmed(loss, _entries(A), y, free):
        return (
            "no minimiser exists: the data are quasi-separable, an exact combination "
            f"of the columns lowers some losses and raises none{_ALL_THE_SAME}"
        )
    return None


_ALL_THE_SAME = (
    ". The infimum is approached as x grows; what is certified holds all the same. A "
    "penalty (l2 > 0) has a minimiser"
)


def _with_ones(A: Any) -> Any:
    """[A 1]."""
    if isinstance(A, np.ndarray):
        return np.column_stack([A, np.ones(len(A))])
    from scipy.sparse import hstack

    return hstack([A, np.ones((A.shape[0], 1))], format="csr")


def _entries(A: Any) -> np.ndarray:
    """A small A as an array; a sparse one is no larger than the program."""
    return A if isinstance(A, np.ndarray) else A.toarray()


def _some(M: Any, rows: Any) -> Any:
    """Columns in which an entry of these rows, (n, 1), is marked."""
    if isinstance(M, np.ndarray):
        return np.any(M & rows, axis=0)
    return M.T.astype(np.float64) @ rows[:, 0].astype(np.float64) > 0


def _any(M: Any) -> Any:
    """Columns in which an entry is marked."""
    if isinstance(M, np.ndarray):
        return np.any(M, axis=0)
    return np.bincount(M.indices, M.data, M.shape[1]) > 0


def _many(loss: Any) -> bool:
    return isinstance(loss, SoftmaxLoss)


def _strict(loss: Any, A: Any, y: Any, d: Any) -> bool:
    """Whether d has every row strictly on its side, beyond the rounding of A d."""
    if not np.all(np.isfinite(d)):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        z, size = A @ d, np.abs(A) @ np.abs(d)
    e = 1.01 * gam(A.shape[1] + 4, float) * size + A.shape[1] * 1e-300
    if not _many(loss):
        return bool(np.all(y * z > e))
    own = np.arange(len(y)), y
    low = (z - e)[own]
    other = z + e
    other[own] = -np.inf
    return bool(np.all(low > other.max(axis=1)))


def _column(
    loss: Any, A: Any, y: Any, free: Bool[np.ndarray, "..."]
) -> tuple[int, str, int | None] | None:
    """(column, sign, class) of a coefficient that lowers some losses, raises none."""
    up, down, full = A > 0, A < 0, A != 0

    def one(higher: Any, lower: Any) -> Any:
        """Columns whose rows `higher` (`lower`) must not be negative (positive)."""
        never = _some(down, higher) | _some(up, lower)
        return ~never & _any(full)

    # For each class: rows that want z up, rows that want it down, rows that want
    # neither (for them both).
    if isinstance(loss, PoissonLoss):
        cases = [(y > 0, y >= 0)]
    elif isinstance(loss, LogisticLoss):
        cases = [(y > 0, y < 0)]
    else:
        cases = [(y == k, y != k) for k in range(loss.classes)]
    for k, (higher, lower) in enumerate(cases):
        able = free[:, k] if free.ndim == 2 else free
        rise, fall = higher[:, None], lower[:, None]
        if isinstance(loss, PoissonLoss):
            # Where y > 0 the column must vanish; elsewhere d <= 0 must lower z.
            still = ~_some(full, rise)
            plus = still & one(np.zeros_like(rise), fall)
            minus = still & ~_any(down) & _any(up)
        else:
            plus, minus = one(rise, fall), one(fall, rise)
        for sign, good in (("+", plus & able), ("-", minus & able)):
            if good.any():
                j = int(np.flatnonzero(good)[0])
                return j, sign, k if free.ndim == 2 else None
    return None


def _sides(loss: Any, A: Any, y: Any) -> tuple[Any, Any]:
    """(G, E) with the conditions G d >= 0 and E d = 0 on a flat direction."""
    if isinstance(loss, LogisticLoss):
        return A * y[:, None], A[:0]
    if isinstance(loss, PoissonLoss):
        return -A[y == 0], A[y > 0]
    n, q = A.shape
    K = loss.classes
    rows = []
    for i in range(n):
        for k in range(K):
            if k != y[i]:
                row = np.zeros((q, K))
                row[:, y[i]] += A[i]
                row[:, k] -= A[i]
                rows.append(row.ravel())
    return np.array(rows), np.zeros((0, q * K))


def _programmed(loss: Any, A: Any, y: Any, free: Any) -> bool:
    """Whether a rounded solution of a linear program separates, exactly."""
    from scipy.optimize import linprog

    G, E = _sides(loss, A, y)
    able = free.ravel()
    size = np.max(np.abs(A), axis=0)
    size = np.where(size > 0, size, 1)
    size = np.repeat(size, free.shape[1]) if free.ndim == 2 else size
    G, E = (G / size)[:, able], (E / size)[:, able]
    if not len(G):
        return False
    found = linprog(
        -G.sum(axis=0),
        A_ub=-G,
        b_ub=np.zeros(len(G)),
        A_eq=E if len(E) else None,
        b_eq=np.zeros(len(E)) if len(E) else None,
        bounds=(-1, 1),
        method="highs",
        options={"time_limit": 1.0},
    )
    if found.status != 0 or not found.fun < -1e-7:
        return False
    d = found.x / size[able]
    G, E = _sides(loss, A, y)
    G, E = G[:, able], E[:, able]
    for unit in (np.ones(len(d)), size[able]):
        scaled = d * unit
        top = np.max(np.abs(scaled))
        for most in DENOMINATORS:
            exact = [
                Fraction(float(v / top)).limit_denominator(most) / Fraction(float(u))
                for v, u in zip(scaled, unit, strict=True)
            ]
            if _separates(G, E, exact):
                return True
    return False


def _separates(
    G: Float[np.ndarray, "m q"], E: Float[np.ndarray, "k q"], d: list[Fraction]
) -> bool:
    """G d >= 0, G d != 0 and E d = 0, in rational arithmetic."""
    used = [j for j, v in enumerate(d) if v]

    def products(M: Any) -> Any:
        for row in M[:, used].tolist():
            terms = zip(row, used, strict=True)
            yield sum((Fraction(v) * d[j] for v, j in terms if v), Fraction(0))

    some = False
    for v in products(G):
        if v < 0:
            return False
        some |= v > 0
    return some and not any(products(E))
