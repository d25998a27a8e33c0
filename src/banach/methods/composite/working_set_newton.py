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
from banach.methods.composite import _columns
from banach.methods.composite import _newton_systems as systems

Vector = Float[np.ndarray, " k"]
ARMIJO = 1e-4
SHARES = (1.0, 0.5, 0.25, 0.125)
# Of the diagonal: at first, after a step that failed, and where there is no step.
LEAST, FLAT, MOST = systems.LEAST, 1e-6, 1e12
# Of what the columns left outside violate, what W may be left with (ours).
ENOUGH = 0.1
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
    steps are Newton's own once the signs are those of the answer. Zeros that the step
    of squared losses would move against their sign leave S first.

    All of it on a working set W of columns: each pass over the data takes the columns
    that violate |g_j| <= l1_j most, in their own units, `first` or as many as the model
    has, and W is solved to rounding (Massias, Gramfort and Salmon 2018 grow W alike).
    A step of the run is one pass. For squared losses H_WW is kept and grows with W, and
    one factorisation serves sets S that differ in few indices.

    Dense columns are centred where there is an intercept. All in NumPy and LAPACK:
    nothing is compiled, and it stands under no jit and vmap. Above 2000 unknowns the
    equations are solved by conjugate gradients, the sooner given up the further away.
    Fails to be affordable where the answer has many thousand nonzeros of dense columns.
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
        """Yield after each pass: one gradient of all columns, values on W.

        What is yielded: Point, calls, no words, and about how far F is above its least.
        """
        model = problem.host_model()
        x = np.asarray(start.x, np.float64)
        kind = np.asarray(start.x).dtype
        c, b = (x[:-1], x[-1]) if model.intercept else (x, 0.0)
        work, grads = WorkingSet(model, c, float(b)), 1
        work.known.busy = True
        try:
            new = work.violators(int(self.first))
            while new.size or not work.settled:
                work.add(new)
                # Of some hundred unknowns: a second thread would only be waited for
                # (a path of 50 points: 4.1 s with it, 1.7 s without).
                with (
                    blas_threads.OneThread(),
                    np.errstate(all="ignore"),
                    warnings.catch_warnings(),
                ):
                    warnings.simplefilter("ignore")  # of LAPACK, on the condition
                    work.solve(enough=ENOUGH * work.worst)
                new = work.violators(int(self.first))
                grads += 1
                calls = {"value": work.values, "grad": grads}
                yield Point(work.point().astype(kind)), calls, None, work.left
        finally:
            work.known.busy = False


class WorkingSet:
    """The working set W, its columns and what is known of them."""

    def __init__(self, model: Any, c: Vector, b: float):
        self.m, self.c = model, np.array(c)
        self.known = _columns.of(model)
        out = ~self.known.inside & (self.c != 0)
        self.known.add(np.flatnonzero(out))
        # Of centred columns: A c + b is the same.
        self.b = b + float(self.known.centre @ self.c[self.W])
        self.values, self.settled = 0, False
        self.worst, self.left = 0.0, np.inf

    @property
    def W(self) -> np.ndarray:
        """The numbers of the columns."""
        return self.known.W

    @property
    def B(self) -> Any:
        """The columns."""
        return self.known.B

    def add(self, new: np.ndarray) -> None:
        """Columns into W, whose coefficients are 0."""
        self.known.add(new)

    def margins(self) -> Vector:
        """Of the coefficients on W."""
        return self.m.offset + self.b + self.B @ self.c[self.W]

    def violators(self, first: int) -> np.ndarray:
        """Columns outside W that would move, the worst first; at most a share of W.

        `worst` becomes the violation of those that are left, `left` what all of them
        say of F: where W is solved, what the dual value loses when the slopes of
        the losses shrink until every |g_j| <= l1_j.
        """
        with np.errstate(all="ignore"):
            u = self.m.weight * self.m.slope(self.margins())
        self.values += 1
        g = self.known.gradient(u)
        over = (abs(g) - self.m.l1) * self.known.unit
        # What rounding of the product makes of a gradient that is 0.
        over[self.known.inside | ~(over > 8 * EPS * np.linalg.norm(u))] = 0
        self.left = self._left(u, g, over > 0)
        most = max(first, int(np.count_nonzero(self.c)))
        found = np.flatnonzero(over)
        self.worst = 0.0
        if found.size > most:
            order = found[np.argpartition(-over[found], most)]
            found, self.worst = order[:most], float(over[order[most]])
        return found

    def _left(self, u: Vector, g: Vector, out: np.ndarray) -> float:
        l1, l2 = self.m.l1, self.m.l2
        bent, flat = out & (l2 > 0), out & (l2 == 0)
        share = 1 - np.min(l1[flat] / abs(g[flat]), initial=1)
        own = np.sum((abs(g[bent]) - l1[bent]) ** 2 / l2[bent]) / 2
        if self.m.constant:  # of squares, all of it
            seen = self.m.weight > 0
            own += share**2 * np.sum(u[seen] ** 2 / self.m.weight[seen]) / 2
        return float(own + share * (l1 @ abs(self.c)))

    def point(self) -> Vector:
        """x of the problem, the intercept last."""
        if not self.m.intercept:
            return self.c.copy()
        return np.append(self.c, self.b - self.known.centre @ self.c[self.W])

    def solve(self, most: int = 100, enough: float = 0.0) -> None:
        """The minimiser on W, violated by `enough`, or to where rounding hides it."""
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
        last, first, damping, unit = np.inf, None, LEAST, self._units()
        self.settled = False
        for _ in range(most):
            noise = 16 * EPS * np.linalg.norm(u)
            s = np.where(c != 0, np.sign(c), -np.sign(g) * (abs(g) > pay))
            free = pay == 0
            S = np.flatnonzero((s != 0) | (free & (g != 0)))
            slope = g[S] + pay[S] * s[S]
            left = np.max(abs(slope) * unit[S], initial=0)
            if left <= noise or (left >= last and last <= 1e3 * noise):
                self.settled = True
                break
            if left <= enough:
                break
            last, first = left, left if first is None else first
            accuracy = min(0.1, left / first)
            d, H, found = self._kept(S, -slope, bent, damping), None, None
            for _ in range(4 if d is not None else 0):
                wrong = (c[S] == 0) & (d * s[S] < 0)
                if not np.any(wrong):
                    break
                S, slope = S[~wrong], slope[~wrong]
                d = self._kept(S, -slope, bent, damping)
            while found is None and damping < MOST:
                if d is None:
                    H = H or self._system(S, z, bent)
                    d = H.solved(-slope, damping, accuracy)
                found = self._searched(at, c, S, d, (F, slope, s[S], free[S]))
                d = None
                damping = damping * 100 if found is None else damping / 100
                if damping < FLAT:
                    damping = LEAST if found else FLAT
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

    def _kept(self, S: np.ndarray, right: Vector, bent: Vector, damping: float) -> Any:
        """The undamped step of squared losses, by what is factorised already, or None.

        Centred columns and the intercept do not see each other.
        """
        m, known, k = self.m, self.known, self.W.size
        apart = not m.intercept or known.centred
        if known.G is None or not apart or damping > LEAST or S.size > systems.DENSE:
            return None
        inner = S[S < k]
        d = known.kept.solved(
            known.G, inner, bent[inner], right[: inner.size],
            1e-4 / self._units()[inner],
        )  # fmt: skip
        if inner.size == S.size:
            return d
        return np.append(d, right[-1] / m.weight.sum())

    def _system(self, S: np.ndarray, z: Vector, bent: Vector) -> systems.System:
        m, k, unit = self.m, self.W.size, self._units()
        inner, d = S[S < k], m.weight * m.bend(z)
        least = 1e-4 / unit[S]
        if S.size > systems.DENSE:
            return systems.Products(self.B[:, inner], d, bent[S], least)
        if self.known.G is not None:
            H = self.known.G[np.ix_(inner, inner)]
        else:
            B: Any = self.B[:, inner]
            H = _columns.full(B.T @ self.known.weighted(B, d))
        H[np.diag_indices(inner.size)] += bent[inner]
        if inner.size < S.size:
            beside = self.B[:, inner].T @ d
            H = np.block([[H, beside[:, None]], [beside[None, :], d.sum()]])
        return systems.Factorised(H, least)

    def _units(self) -> Vector:
        """1 over the size of each unknown's column, the intercept's last."""
        own = self.known.unit[self.W]
        if not self.m.intercept:
            return own
        return np.append(own, 1 / np.sqrt(self.m.weight.sum()))
