"""Affine rows and bounds that contradict each other: a proof, or words.

Rows a_i'x + c_i = 0 for i in E, <= 0 else, and lower <= x <= upper. For any y with
y_i >= 0 outside E, every feasible x has

    sum_i y_i (a_i'x + c_i) <= 0,

so that there is none where the least value of the left side over the box is above 0
(Neumaier and Shcherbina's safe bound, here of the dual of feasibility). A candidate y
comes from the duals of the elastic linear program, which HiGHS solves in floating
point and which proves nothing; then

1. the bound in intervals, which holds for every y, where the bounds reach far enough;
2. y rounded to small denominators, in rational arithmetic;
3. the equations that y must meet exactly (no slope where x is free), solved in
   rational arithmetic near y;
4. else words: no solution of max-norm below rho, with the rho that y does prove.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from banach.core.rounding import gam
from banach.kinds.affine_detection import Rows

ACTIVE = 200
"""Rows of y up to which its equations are solved exactly."""
WORK = 1e8
"""Bits of rational arithmetic that one exact elimination may read."""
PRIME, MODULAR = 2**31 - 1, 5e7
"""Modulus that tells dependent equations apart first, and products spent on that."""
SECONDS = 2.0
"""Of HiGHS, for one linear program; a result without one is silence."""
DENOMINATORS = (1, 12, 1000, 10**6)


class System(NamedTuple):
    """Affine rows with their names, which of them are equations, and the box."""

    rows: Rows
    names: list[str]
    equation: Bool[np.ndarray, " m"]
    lower: Float[np.ndarray, " n"]
    upper: Float[np.ndarray, " n"]


class Found(NamedTuple):
    """What a y shows. `radius` is inf where it is a proof; the rows are its support."""

    radius: float
    rows: list[int]

    def words(self, system: System) -> str:
        """Which rows contradict each other, and how far that is proved."""
        named = [system.names[i] for i in self.rows[:8]]
        more = len(self.rows) - len(named)
        said = ", ".join(named) + (f" and {more} more" if more else "")
        bounds = " and the bounds" if self.bounded(system) else ""
        if self.radius == np.inf:
            return (
                f"the affine constraints {said}{bounds} contradict each other: a "
                "combination of these rows is above 0 wherever the bounds hold and at "
                "most 0 wherever the rows do (proved, not a tolerance)"
            )
        return (
            f"the affine constraints {said}{bounds} have no solution of max-norm below "
            f"{self.radius:.2g}; relax one of them, or start further out"
        )

    def bounded(self, system: System) -> bool:
        """Whether a bound of some variable in these rows takes part."""
        r = system.rows
        used = r.column[np.isin(r.row, self.rows) & (r.column < len(system.lower))]
        ends = np.isfinite(system.lower[used]) | np.isfinite(system.upper[used])
        return bool(np.any(ends))


def joined(
    parts: Sequence[tuple[Rows, Sequence[str], bool]], lower: Any, upper: Any
) -> System:
    """One system from affine rows: each part, the names of its rows, if equations."""
    starts = np.cumsum([0, *(len(part.which) for part, _, _ in parts)])
    at = zip(parts, starts.tolist(), strict=False)
    whole = Rows(
        np.arange(starts[-1]),
        np.concatenate([part.row + start for (part, _, _), start in at]),
        np.concatenate([part.column for part, _, _ in parts]),
        np.concatenate([part.value for part, _, _ in parts]),
    )
    names = [named[i] for part, named, _ in parts for i in part.which.tolist()]
    equation = [equal for part, _, equal in parts for _ in part.which]
    low, high = np.asarray(lower, float), np.asarray(upper, float)
    return System(whole, names, np.array(equation, bool), low, high)


def contradiction(system: System, x: Float[np.ndarray, " n"]) -> Found | None:
    """Whether some combination of rows contradicts the box; x is a point within it.

    None says nothing: x itself, or some point to the tolerance of HiGHS, meets all.
    """
    m = len(system.equation)
    if m == 0 or _meets(system, x):
        return None
    y = _duals(system)
    if y is None:
        return None
    y = np.where(system.equation, y, np.maximum(y, 0))
    y = np.where(np.abs(y) > 1e-9 * np.max(np.abs(y), initial=0), y, 0)
    support = [int(i) for i in np.flatnonzero(y)]
    if not support:
        return None
    radius = _radius(system, y)
    if radius == np.inf:
        return Found(np.inf, support)
    if len(support) <= ACTIVE:
        exact = _Exact(system, support)
        for v in exact.candidates(y):
            if exact.proves(v):
                return Found(np.inf, [i for i in support if v[i]])
    return Found(radius, support) if radius > 0 else None


def _matrix(system: System) -> tuple[Any, Any, Any]:
    """(A, c, sizes of the rows) in floating point."""
    from scipy import sparse

    m, n = len(system.equation), len(system.lower)
    r = system.rows
    whole = sparse.coo_array((r.value, (r.row, r.column)), (m, n + 1)).tocsr()
    size = abs(whole).max(axis=1)
    size = np.asarray(size.todense()).ravel() if sparse.issparse(size) else size
    size = np.where(size > 0, size, 1)
    return whole[:, :n], whole[:, [n]].toarray().ravel(), size


def _meets(system: System, x: Any) -> bool:
    A, c, size = _matrix(system)
    left = (A @ x + c) / size
    return bool(np.all(np.where(system.equation, left == 0, left <= 0)))


def _duals(system: System) -> Any:
    """y of the least sum of violations, or None where HiGHS finds none to speak of."""
    from scipy import sparse
    from scipy.optimize import linprog

    A, c, size = _matrix(system)
    # Powers of two: the scaled rows are the same rows.
    size = np.exp2(np.ceil(np.log2(size)))
    A, b = sparse.diags_array(1 / size) @ A, -c / size
    m, n = A.shape
    E = system.equation
    eye = sparse.eye_array(m, format="csr")
    cost = np.concatenate([np.zeros(n), np.ones(m), np.ones(int(E.sum()))])
    wide = sparse.hstack([A, -eye, eye[:, E]]).tocsr()
    free = np.column_stack([system.lower, system.upper])
    slack = np.tile([0, np.inf], (m + int(E.sum()), 1))
    found = linprog(
        cost,
        A_ub=wide[~E] if (~E).any() else None,
        b_ub=b[~E] if (~E).any() else None,
        A_eq=wide[E] if E.any() else None,
        b_eq=b[E] if E.any() else None,
        bounds=np.vstack([free, slack]),
        method="highs",
        options={"time_limit": SECONDS},
    )
    if found.status != 0 or not found.fun > 0:
        return None
    y = np.zeros(m)
    if E.any():
        y[E] = -found.eqlin.marginals
    if (~E).any():
        y[~E] = -found.ineqlin.marginals
    return y / size


def _slopes(system: System, y: Any) -> tuple[Any, Any]:
    """y'(A, c) and a bound of its rounding error, entry by entry."""
    r, n = system.rows, len(system.lower)
    terms = y[r.row] * r.value
    g = np.bincount(r.column, terms, n + 1)
    size = np.bincount(r.column, np.abs(terms), n + 1)
    # Rows without a weight add nothing, and no rounding.
    count = np.bincount(r.column, y[r.row] != 0, n + 1)
    e = 1.01 * gam(1, float) * (count + 2) * size
    return g, e + count * np.finfo(float).tiny


def _radius(system: System, y: Any) -> float:
    """rho such that no x of max-norm below rho is feasible; inf for a proof.

    Each slope times the bound that makes the product least, in intervals; a slope
    towards an infinite bound is charged |slope| rho.
    """
    if not np.all(np.isfinite(y)):
        return 0.0
    y = y / np.max(np.abs(y))
    slopes, errors = _slopes(system, y)
    g, e = slopes[:-1], errors[:-1]
    low, high = g - e, g + e
    # Least of s x over s in [low, high] and x in [lower, upper], four corners.
    with np.errstate(invalid="ignore"):
        corners = [
            np.where((s == 0) | (x == 0), 0, s * x)
            for s in (low, high)
            for x in (system.lower, system.upper)
        ]
    least = np.min(corners, axis=0)
    open_ = ~np.isfinite(least)
    least = np.where(open_, 0, least)
    sure = slopes[-1] - errors[-1] + least.sum()
    rough = np.abs(least).sum() + abs(slopes[-1])
    sure -= 1.01 * gam(1, float) * (len(g) + 8) * rough + len(g) * 1e-300
    if not sure > 0:
        return 0.0
    if not open_.any():
        return np.inf
    steep = np.sum((np.abs(g) + e)[open_]) * (1 + 1e-9)
    return float(0.999 * sure / steep)


class _Exact:
    """The same bound in rational arithmetic, for the rows of a support."""

    def __init__(self, system: System, support: list[int]):
        self.system, self.support = system, support
        r = system.rows
        inside = np.isin(r.row, support)
        self.rows: dict[int, dict[int, Fraction]] = {i: {} for i in support}
        entries = zip(
            r.row[inside].tolist(), r.column[inside].tolist(), r.value[inside].tolist(),
            strict=True,
        )  # fmt: skip
        for i, j, v in entries:
            row = self.rows[i]
            row[j] = row.get(j, Fraction(0)) + Fraction(v)

    def candidates(self, y: Any) -> Any:
        """Exact combinations near y, the simplest first."""
        top = max(abs(y[i]) for i in self.support)
        for most in DENOMINATORS:
            yield {
                i: Fraction(float(y[i] / top)).limit_denominator(most)
                for i in self.support
            }
        # Where rows come in other units, each in its own.
        own = {i: self._unit(i) for i in self.support}
        scaled = {i: float(y[i]) * float(own[i]) for i in self.support}
        top = max(abs(v) for v in scaled.values())
        for most in DENOMINATORS:
            yield {
                i: Fraction(scaled[i] / top).limit_denominator(most) / own[i]
                for i in self.support
            }
        solved = self._solved({i: scaled[i] / top for i in self.support}, own)
        if solved is not None:
            yield solved

    def _unit(self, i: int) -> Fraction:
        sizes = [abs(v) for v in self.rows[i].values()]
        return max(sizes, default=Fraction(1)) or Fraction(1)

    def _slopes(self, y: dict[int, Fraction]) -> dict[int, Fraction]:
        g: dict[int, Fraction] = {}
        for i, weight in y.items():
            if weight:
                for j, v in self.rows[i].items():
                    g[j] = g.get(j, Fraction(0)) + weight * v
        return g

    def proves(self, y: dict[int, Fraction]) -> bool:
        """Whether this very y proves that there is no solution."""
        equation = self.system.equation
        if any(v < 0 and not equation[i] for i, v in y.items()):
            return False
        n = len(self.system.lower)
        g = self._slopes(y)
        total = g.pop(n, Fraction(0))
        for j, v in g.items():
            if v == 0:
                continue
            end = float(self.system.lower[j] if v > 0 else self.system.upper[j])
            if not np.isfinite(end):
                return False
            total += v * Fraction(end)
        return total > 0

    def _solved(
        self, y: dict[int, float], own: dict[int, Fraction]
    ) -> dict[int, Fraction] | None:
        """y with no slope at all where its slope ought to vanish.

        Gauss elimination of the equations sum_i y_i a_ij = 0 over the columns j with
        an infinite bound and a slope of rounding size; what it leaves free is y
        rounded.
        """
        low, high = self.system.lower, self.system.upper
        free = []
        for j in sorted({j for row in self.rows.values() for j in row}):
            if j == len(low):
                continue
            terms = [y[i] * float(self.rows[i].get(j, 0) / own[i]) for i in y]
            slope, size = sum(terms), sum(map(abs, terms))
            needed = low[j] if slope > 0 else high[j]
            boxed = np.isfinite(low[j]) and np.isfinite(high[j])
            if not np.isfinite(needed) or (abs(slope) <= 1e-6 * size and not boxed):
                free.append(j)
        order = list(self.support)
        table = [
            [self.rows[i].get(j, Fraction(0)) / own[i] for i in order] for j in free
        ]
        needed = _independent(table)
        if needed is None or len(needed) == len(order):
            return None
        table = [table[r] for r in needed]
        pivots = _reduced(table)
        if pivots is None:
            return None
        out = {
            k: Fraction(y[i]).limit_denominator(10**6)
            for k, i in enumerate(order)
            if k not in pivots.values()
        }
        for r, k in pivots.items():
            out[k] = -sum(
                (table[r][f] * v for f, v in list(out.items()) if f not in
                 pivots.values()),
                Fraction(0),
            )  # fmt: skip
        return {i: out[k] / own[i] for k, i in enumerate(order)}


def _independent(table: list[list[Fraction]]) -> list[int] | None:
    """Rows that span the others, by elimination modulo a prime; None if too many.

    Fewer may be independent modulo the prime than are: then `proves` says no.
    """
    width = len(table[0]) if table else 0
    if len(table) * width**2 > MODULAR:
        return None
    try:
        left = np.array(
            [
                [v.numerator % PRIME * pow(v.denominator, -1, PRIME) % PRIME for v in r]
                for r in table
            ],
            np.int64,
        ).reshape(len(table), width)
    except ValueError:  # a denominator that the prime divides
        return None
    name = np.arange(len(table))
    at = 0
    for k in range(width):
        some = np.flatnonzero(left[at:, k])
        if not len(some):
            continue
        swap = [at + int(some[0]), at]
        left[[at, swap[0]]] = left[swap]
        name[[at, swap[0]]] = name[swap]
        head = left[at] * pow(int(left[at, k]), -1, PRIME) % PRIME
        left[at + 1 :] = (left[at + 1 :] - left[at + 1 :, [k]] * head) % PRIME
        at += 1
    return sorted(name[:at].tolist())


def _reduced(table: list[list[Fraction]]) -> dict[int, int] | None:
    """Reduced row echelon form in place; {row: pivot column}, None if too long."""
    pivots: dict[int, int] = {}
    width = len(table[0]) if table else 0
    at, work = 0, 0.0
    for k in range(width):
        pivot = next((r for r in range(at, len(table)) if table[r][k]), None)
        if pivot is None:
            continue
        table[at], table[pivot] = table[pivot], table[at]
        head = table[at][k]
        table[at] = [v / head for v in table[at]]
        for r in range(len(table)):
            factor = table[r][k]
            if r == at or not factor:
                continue
            table[r] = [
                u - factor * v if v else u
                for u, v in zip(table[r], table[at], strict=True)
            ]
            work += sum(v.denominator.bit_length() + 64 for v in table[r])
            if work > WORK:
                return None
        pivots[at] = k
        at += 1
    return pivots
