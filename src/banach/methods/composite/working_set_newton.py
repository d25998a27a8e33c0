"""Newton's method on an orthant, on a working set of columns."""

import warnings
from collections.abc import Generator
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from banach.core import blas_threads, validation
from banach.core.card import method
from banach.core.hyperparameters import Whole, count
from banach.core.method import HostMethod
from banach.core.point import Point
from banach.core.problem import Problem

Vector = Float[np.ndarray, " k"]
ARMIJO = 1e-4
SHARES = (1.0, 0.5, 0.25, 0.125)
# Of the diagonal: at first, after a step that failed, and where there is no step.
LEAST, FLAT, MOST = 1e-13, 1e-6, 1e12
EPS = float(np.finfo(float).eps)


@method(
    problem="GLM",
    needs={"grad", "prox", "host_model"},
    paper="schmidt2010graphical",
    cost=None,
    host=True,
)
class WorkingSetNewton(HostMethod):
    """Newton steps on the signs at hand, on the columns that may be in the model.

    minimise F(c) = sum_i w_i l(<a_i, c> + b + o_i) + sum_j l1_j |c_j| + l2_j c_j^2 / 2

    s_j = sign(c_j), or -sign(g_j) where c_j = 0 and |g_j| > l1_j,  S = {j: s_j != 0}

    c+_S = P(c_S - t H_SS^-1 (g_S + l1_S s_S)),  P(v)_j = v_j if v_j s_j > 0, else 0

    with g and H of the smooth part; t is halved until F falls enough, and where an
    eighth is too far the diagonal of H is raised: the two-metric projection, whose
    steps are Newton's own once the signs are those of the answer.

    All of it on a working set W of columns: each pass over the data takes the columns
    that violate |g_j| <= l1_j most, in their own units, `first` or as many as the model
    has, and W is solved to rounding (Massias, Gramfort and Salmon 2018 grow W alike).
    A step of the run is one pass. For squared losses H_WW is kept and grows with W.

    Dense columns are centred where there is an intercept. All in NumPy and LAPACK:
    nothing is compiled, and it stands under no jit and vmap. Fails to be affordable
    where the answer has many thousand nonzeros: a step solves a system of that size.
    """

    first: Whole = count(128)

    def __check_init__(self):
        validation.integer(self.first, "WorkingSetNewton: first", low=1)

    @classmethod
    def suggest(cls, problem, facts, first=128):
        """With the first number of columns."""
        return cls(first=first)

    def label(self) -> str:
        """Its name."""
        return "working_set_newton"

    def stream(
        self, problem: Problem, start: Point, key: Array
    ) -> Generator[Any, None, Any]:
        """Yield (Point, calls) after each pass: one gradient of all, values on W."""
        model = problem.host_model()
        x = np.asarray(start.x, np.float64)
        kind = np.asarray(start.x).dtype
        c, b = (x[:-1], x[-1]) if model.intercept else (x, 0.0)
        work, grads = WorkingSet(model, c, float(b)), 0
        while True:
            new = work.violators(int(self.first))
            grads += 1
            if not new.size and work.settled:
                return
            work.add(new)
            # Of some hundred unknowns: a second thread would only be waited for.
            with (
                blas_threads.OneThread(),
                np.errstate(all="ignore"),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")  # of LAPACK, on the condition
                work.solve()
            yield (
                Point(work.point().astype(kind)),
                {"value": work.values, "grad": grads},
            )


class WorkingSet:
    """The working set W, its columns and what is known of them."""

    def __init__(self, model: Any, c: Vector, b: float):
        self.m, self.c, self.b = model, np.array(c), b
        self.dense = isinstance(model.A, np.ndarray)
        n, p = model.A.shape
        self.W = np.zeros(0, int)
        self.B: Any = np.zeros((n, 0)) if self.dense else model.A[:, :0]
        self.centre = np.zeros(0)
        self.G = np.zeros((0, 0))
        self.inside = np.zeros(p, bool)
        self.values, self.settled = 0, False
        size = self._squares()
        self.unit = 1 / np.sqrt(np.where(size > 0, size, 1))
        self.add(np.flatnonzero(self.c))

    def _squares(self) -> Vector:
        """w'a_j^2, the scale of a column's curvature."""
        A, w = self.m.A, self.m.weight
        if self.dense:
            return np.einsum("ij,ij,i->j", A, A, w)
        return A.multiply(A).T @ w

    def margins(self) -> Vector:
        """Of the coefficients on W."""
        return self.m.offset + self.b + self.B @ self.c[self.W]

    def violators(self, first: int) -> np.ndarray:
        """Columns outside W that would move, the worst first; at most a share of W."""
        with np.errstate(all="ignore"):
            u = self.m.weight * self.m.slope(self.margins())
        self.values += 1
        g = u @ self.m.A if self.dense else self.m.A.T @ u
        over = (abs(g) - self.m.l1) * self.unit
        # What rounding of the product makes of a gradient that is 0.
        over[self.inside | ~(over > 8 * EPS * np.linalg.norm(u))] = 0
        most = max(first, int(np.count_nonzero(self.c)))
        found = np.flatnonzero(over)
        if found.size > most:
            found = found[np.argpartition(-over[found], most)[:most]]
        return found

    def add(self, new: np.ndarray) -> None:
        """Columns into W, centred by their weighted means beside an intercept."""
        if not new.size:
            return
        B, w = self.m.A[:, new], self.m.weight
        mean = np.zeros(new.size)
        if self.dense and self.m.intercept:
            mean = w @ B / w.sum()
            B = B - mean
        # A c + b is the same.
        self.b += float(mean @ self.c[new])
        if self.m.constant:
            V = B * w[:, None] if self.dense else B.multiply(w[:, None]).tocsc()
            cross, own = (_full(X.T @ V) for X in (self.B, B))
            own[np.diag_indices(new.size)] += self.m.l2[new]
            self.G = np.block([[self.G, cross], [cross.T, own]])
        self.B = _joined(self.B, B)
        self.W, self.centre = np.append(self.W, new), np.append(self.centre, mean)
        self.inside[new] = True

    def point(self) -> Vector:
        """x of the problem, the intercept last."""
        if not self.m.intercept:
            return self.c.copy()
        return np.append(self.c, self.b - self.centre @ self.c[self.W])

    def solve(self, most: int = 100) -> None:
        """The minimiser on W, to where rounding hides what is left."""
        m, W = self.m, self.W
        l1, l2, k = m.l1[W], m.l2[W], W.size
        # The intercept is one more coordinate, without a sign.
        c = np.append(self.c[W], self.b) if m.intercept else self.c[W].copy()
        pay = np.append(l1, 0.0) if m.intercept else l1
        bent = np.append(l2, 0.0) if m.intercept else l2

        def at(c: Vector) -> tuple[float, Vector, Vector, Vector]:
            z = m.offset + self.B @ c[:k] + (c[k] if m.intercept else 0)
            u = m.weight * m.slope(z)
            g = self.B.T @ u
            if m.intercept:
                g = np.append(g, u.sum())
            F = m.weight @ m.value(z) + pay @ abs(c) + bent @ c**2 / 2
            self.values += 1
            return F, g + bent * c, z, u

        F, g, z, u = at(c)
        last, damping = np.inf, LEAST
        self.settled = False
        for _ in range(most):
            noise = 16 * EPS * np.linalg.norm(u)
            unit = np.append(self.unit[W], 1 / np.sqrt(m.weight.sum()))[: c.size]
            s = np.where(c != 0, np.sign(c), -np.sign(g) * (abs(g) > pay))
            free = pay == 0
            S = np.flatnonzero((s != 0) | (free & (g != 0)))
            slope = g[S] + pay[S] * s[S]
            left = np.max(abs(slope) * unit[S], initial=0)
            if left <= noise or (left >= last and last <= 1e3 * noise):
                self.settled = True
                break
            last = left
            found = None
            H = _Scaled(self._hessian(S, z, bent), 1e-4 / unit[S])
            while found is None and damping < MOST:
                d = H.solved(-slope, damping)
                found = self._searched(at, c, S, d, (F, slope, s[S], free[S]))
                damping = damping * 100 if found is None else damping / 100
                damping = max(damping, LEAST if found else FLAT)
            if found is None or not np.any(found[0] != c):
                self.settled = True
                break
            c, F, g, z, u = found
        self.c[W] = c[:k]
        if m.intercept:
            self.b = float(c[k])

    def _searched(self, at: Any, c: Vector, S: np.ndarray, d: Vector, here: Any) -> Any:
        """(c, F, g, margins, w l') where F falls enough along P(c + t d), or None."""
        F, slope, sign, free = here
        if not np.all(np.isfinite(d)):
            return None
        for t in SHARES:
            v = c[S] + t * d
            v = np.where(free | (v * sign > 0), v, 0)
            trial = c.copy()
            trial[S] = v
            seen = at(trial)
            if seen[0] <= F + ARMIJO * (slope @ (v - c[S])) + 4 * EPS * abs(F):
                return trial, *seen
        return None

    def _hessian(self, S: np.ndarray, z: Vector, bent: Vector) -> np.ndarray:
        m, k = self.m, self.W.size
        inner = S[S < k]
        d = m.weight * m.bend(z)
        if m.constant:
            H = self.G[np.ix_(inner, inner)]
        else:
            B: Any = self.B[:, inner]
            V = B * d[:, None] if self.dense else B.multiply(d[:, None]).tocsc()
            H = _full(B.T @ V)
            H[np.diag_indices(inner.size)] += bent[inner]
        if inner.size == S.size:
            return H
        beside = self.B[:, inner].T @ d
        return np.block([[H, beside[:, None]], [beside[None, :], d.sum()]])


class _Scaled:
    """H >= 0, its columns scaled to one size, or to these least ones."""

    def __init__(self, H: np.ndarray, least: Vector):
        self.size = np.maximum(np.sqrt(np.maximum(np.diag(H), 0)), least)
        self.H = H / self.size[:, None] / self.size[None, :]

    def solved(self, right: Vector, damping: float) -> Vector:
        """(H + damping diag(H))^-1 right; nothing finite where H is not >= 0."""
        from scipy import linalg

        eye = damping * np.eye(len(right))
        try:
            factor = linalg.cho_factor(
                self.H + eye, overwrite_a=True, check_finite=False
            )
        except linalg.LinAlgError:
            return np.full_like(right, np.nan)
        return linalg.cho_solve(factor, right / self.size, check_finite=False) / (
            self.size
        )


def _joined(A: Any, B: Any) -> Any:
    if isinstance(A, np.ndarray):
        return np.hstack([A, B])
    from scipy import sparse

    return sparse.hstack([A, B], format="csc")


def _full(M: Any) -> np.ndarray:
    return M if isinstance(M, np.ndarray) else M.toarray()
