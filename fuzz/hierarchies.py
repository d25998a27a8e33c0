"""Bilevel quadratics, linear elliptic energies, and goals."""

from typing import Any, ClassVar

import numpy as np

from fuzz import draw
from fuzz.exact import TWO, ZERO, dec, decs, dot, matvec, norm, solve, sub, transposed
from fuzz.kind import Traced, show
from fuzz.quadratic import (
    P,
    Quadratic,
    exact_best,
    full,
    gershgorin,
    packed,
    positive_definite,
)

LD = np.longdouble
N = 2
TARGET = 1.0


def upper(x, y, Q, B, c, d, rho):
    """||y - d||^2 / 2 + rho ||x||^2 / 2."""
    del Q, B, c
    r = y - d
    return r @ r / 2 + rho * (x @ x) / 2


def lower(x, y, Q, B, c, d, rho):
    """y'Q y / 2 - y'(B x + c)."""
    del d, rho
    return y @ (Q @ y) / 2 - y @ (B @ x + c)


class Bilevel(Traced):
    """The residuals of the hypergradient, and its norm."""

    shape: ClassVar[str] = "2 + 3"
    solves: ClassVar[bool] = False
    wants_dual: ClassVar[bool] = True
    roundable: ClassVar[tuple[str, ...]] = ("T", "B", "c", "d", "rho")
    zeroable: ClassVar[tuple[str, ...]] = ("T", "B", "c", "d")

    def __init__(self, name, check, truth_is):
        super().__init__()
        self.name, self.check, self.truth_is = name, check, truth_is
        self.wants_dual = check == "hypergradient"
        if self.wants_dual:
            # The witness comes back rounded to float32: the residual is of another.
            self.dtypes = (np.float64,)

    def draw(self, rng, dtype, count):
        """A definite lower level; every matrix at its own scale."""
        s = draw.scales(rng, dtype, count)
        Q, mu, _ = positive_definite(rng, s.a / 2, dtype)
        Q[~(mu >= np.finfo(dtype).tiny)] = np.eye(P, dtype=dtype)
        e = draw.power(s.y / 2)[:, None]
        B = draw.power(rng.uniform(-1, 1, count) * np.abs(s.y) / 2)[:, None, None]
        c = draw.cast(e * rng.normal(size=(count, P)), dtype)
        d = draw.cast(e * rng.normal(size=(count, P)), dtype)
        # F_y that almost cancels: d near the lower solution at x = 0.
        close = np.flatnonzero(rng.random(count) < 0.3)
        y = exact_best({"Q": Q[close], "b": c[close]})
        far = draw.power(rng.uniform(-16, -2, close.size))[:, None]
        d[close] = draw.cast(y * (1 + far * rng.normal(size=y.shape)), dtype)
        return {
            "T": packed(Q), "B": draw.cast(B * rng.normal(size=(count, P, N)), dtype),
            "c": c, "d": d,
            "rho": draw.positive(draw.power(rng.uniform(-6, 6, count)), dtype),
        }  # fmt: skip

    def _args(self, b):
        return (full(b["T"]), b["B"], b["c"], b["d"], b["rho"])

    def _mu(self, b):
        T = np.asarray(b["T"])
        Q = full(T)
        mu = gershgorin(Q if Q.ndim == 3 else Q[None], T.dtype)[0]
        return np.maximum(mu, np.finfo(T.dtype).tiny)

    def valid(self, one):
        """Whether the lower level is still proved strongly convex."""
        T = np.asarray(one["T"])
        return bool(gershgorin(full(T)[None], T.dtype)[0][0] >= np.finfo(T.dtype).tiny)

    def problem(self, one):
        """With mu and the smoothness of a quadratic."""
        import banach as bn

        kind = np.asarray(one["T"]).dtype
        flat = {"upper_x": 0.0, "upper_y": 1.0, "cross": 0.0, "hess": 0.0}
        return bn.Bilevel(
            upper, lower, np.zeros(N, kind), np.zeros(P, kind), self._args(one),
            lower_mu=self._mu(one)[0], smoothness=flat,
        )  # fmt: skip

    def code(self, one):
        """The same as source."""
        kind = np.asarray(one["T"]).dtype
        data = ", ".join(show(v) for v in self._args(one))
        given = "x, y, Q, B, c, d, rho"
        return (
            f"bn.Bilevel(lambda {given}: (y - d) @ (y - d) / 2 + rho * (x @ x) / 2, "
            f"lambda {given}: y @ (Q @ y) / 2 - y @ (B @ x + c), "
            f"{show(np.zeros(N, kind))}, {show(np.zeros(P, kind))}, ({data}), "
            f"lower_mu={show(self._mu(one)[0])}, smoothness=dict(upper_x=0.0, "
            "upper_y=1.0, cross=0.0, hess=0.0))"
        )

    def fields(self, batch):
        """Data and mu."""
        return [(lambda p: p.args, self._args(batch)),
                (lambda p: p.lower_mu, self._mu(batch))]  # fmt: skip

    def solve(self, batch):
        """A few minimisers of Phi would do; here x = 0 and its response."""
        y = exact_best({"Q": full(batch["T"]), "b": batch["c"]})
        return batch | {"best_y": y}

    def points(self, rng, batch, dtype):
        """x anywhere, y at or near its response."""
        count = len(batch["c"])
        zero = np.zeros((count, N), LD)
        e = np.abs(batch["best_y"]).max(axis=1)[:, None]
        away = e * draw.power(rng.uniform(-8, 3, count))[:, None]
        xs = [zero, zero, away * rng.normal(size=zero.shape), zero, zero,
              rng.normal(size=zero.shape)]  # fmt: skip
        ys = []
        for k, x in enumerate(xs):
            x = draw.cast(x, dtype)
            right = LD(batch["c"]) + np.einsum("bij,bj->bi", LD(batch["B"]), LD(x))
            Q = full(batch["T"])
            y = exact_best({"Q": Q, "b": right}) if k in (2, 5) else batch["best_y"]
            noise = (
                0 if k in (0, 2) else draw.power(rng.uniform(-16, 1, count))[:, None]
            )
            ys.append(y * (1 + noise * rng.normal(size=y.shape)))
        ys[3] = np.zeros_like(ys[3])
        return (draw.cast(np.stack(xs, 1), dtype), draw.cast(np.stack(ys, 1), dtype))

    def truth(self, one, x):
        """By Q^-1; the residuals for the v that came back."""
        Q, B, c, d, rho = (decs(v) if np.ndim(v) else dec(v) for v in self._args(one))
        x, y = decs(x[0]), decs(x[1])
        right = [p + q for p, q in zip(matvec(B, x), c, strict=True)]
        if self.check == "hypergradient":
            v = decs(one["dual"])
            up = [rho * p + q for p, q in zip(x, matvec(transposed(B), v),
                                              strict=True)]  # fmt: skip
            return {
                "||grad_y g||": norm(sub(matvec(Q, y), right)),
                "||G_yy v - F_y||": norm(sub(matvec(Q, v), sub(y, d))),
                "||F_x - G_xy v||": norm(up),
            }
        best = solve(Q, right)
        if best is None or not self.valid(one):
            return [None]
        v = solve(Q, sub(best, d))
        up = [rho * p + q for p, q in zip(x, matvec(transposed(B), v), strict=True)]
        return [norm(up)]

    def scale(self, one):
        """Absolute."""
        return []


def density(s, k):
    """k s / 2."""
    return k * s / 2


class Elliptic(Traced):
    """-k u'' = f on three nodes: distances and gaps in the energy."""

    shape: ClassVar[str] = "3 nodes"
    roundable: ClassVar[tuple[str, ...]] = ("load", "k")
    zeroable: ClassVar[tuple[str, ...]] = ("load",)

    def __init__(self, name, check, truth_is):
        super().__init__()
        self.name, self.check, self.truth_is = name, check, truth_is

    def draw(self, rng, dtype, count):
        """Loads and stiffnesses of any size."""
        s = draw.scales(rng, dtype, count)
        load = draw.power(s.y)[:, None] * rng.normal(size=(count, P))
        load[rng.random(count) < 0.05] = 0
        return {"load": draw.cast(load, dtype),
                "k": draw.positive(draw.power(s.a), dtype)}  # fmt: skip

    def problem(self, one):
        """The bounds of the density are k itself."""
        import banach as bn

        k = one["k"]
        return bn.EllipticEnergy(density, one["load"], lower=k, upper=k, args=(k,))

    def code(self, one):
        """The same as source."""
        k = show(one["k"])
        return (f"bn.EllipticEnergy(lambda s, k: k * s / 2, {show(one['load'])}, "
                f"lower={k}, upper={k}, args=({k},))")  # fmt: skip

    def fields(self, batch):
        """Load and stiffness."""
        k = batch["k"]
        return [(lambda p: p.load, batch["load"]), (lambda p: p.args, (k,)),
                (lambda p: p.lower, k), (lambda p: p.upper, k)]  # fmt: skip

    def _tridiagonal(self):
        return 2 * np.eye(P) - np.eye(P, k=1) - np.eye(P, k=-1)

    def solve(self, batch):
        """K^-1 h f, K = (k / h) tridiag(-1, 2, -1), h = 1/4."""
        k = LD(batch["k"])[:, None, None]
        Q = 16 * k * LD(self._tridiagonal())
        return batch | {"best": exact_best({"Q": Q, "b": batch["load"]})}

    def points(self, rng, batch, dtype):
        """Around the minimiser, zero, anywhere."""
        return draw.points(rng, batch["best"], np.zeros_like(batch["best"]), dtype)

    def _away(self, one, x):
        """|u - u*|_H1 squared: v'(4 T) v with 16 k T v = 16 k T u - f."""
        T = decs(self._tridiagonal())
        k = dec(one["k"])
        r = [16 * k * p - q for p, q in zip(matvec(T, x), decs(one["load"]),
                                            strict=True)]  # fmt: skip
        v = solve(T, [p / (16 * k) for p in r])
        return 4 * dot(v, matvec(T, v)), k

    def _quantity(self, one, x):
        square, k = self._away(one, x)
        return square.sqrt() if self.check == "energy_distance" else k * square / 2

    def truth(self, one, x):
        """Exactly."""
        return [self._quantity(one, decs(x))]

    def scale(self, one):
        """The same at u = 0."""
        return [self._quantity(one, [ZERO] * P)]


class Goal(Quadratic):
    """f(x) <= 1."""

    signed: ClassVar[bool] = True
    solves: ClassVar[bool] = False

    def checker(self):
        """The goal itself."""
        from banach.checks import by_name

        return by_name("goal", target=TARGET)

    def check_code(self):
        """The same as source."""
        return f"bn.Goal({TARGET})"

    def points(self, rng, batch, dtype):
        """Points whose value is 1 up to a few roundings."""
        Q, b = LD(full(batch["T"])), LD(batch["b"])
        count = len(b)
        d = rng.normal(size=(count, self.width, P)).astype(LD)
        bend = np.einsum("bti,bij,btj->bt", d, Q, d)
        lean = np.einsum("bi,bti->bt", b, d)
        # s^2 bend / 2 - s lean = 1, s > 0, without cancellation.
        root = np.sqrt(lean**2 + 2 * bend)
        s = np.where(lean > 0, (lean + root) / bend, 2 / (root - lean))
        off = draw.power(rng.uniform(-20, -1, (count, self.width)))
        s = s * (1 + off * rng.choice([-1.0, 1.0], off.shape))
        return draw.cast(np.where(np.isfinite(s), s, 0)[..., None] * d, dtype)

    def reached(self, one, x):
        """f(x) less the target, exactly."""
        x = decs(x)
        f = dot(x, matvec(decs(full(one["T"])), x)) / TWO - dot(decs(one["b"]), x)
        return f - dec(TARGET)

    def truth(self, one, x):
        """f(x): what the value stands for."""
        return [self.reached(one, x) + dec(TARGET)]

    def scale(self, one):
        """The check's own."""
        return []


def kinds() -> list[Any]:
    """Two levels, an energy, and a goal."""
    return [
        Bilevel("hypergradient", "hypergradient", "residuals for its v, exact"),
        Bilevel("hypergradient_bound", "hypergradient_bound",
                "||grad Phi(x)||, exact by elimination"),
        Elliptic("elliptic_distance", "energy_distance", "|u - u*|_H1, exact"),
        Elliptic("elliptic_gap", "energy_gap", "E(u) - E*, exact"),
        Goal("goal", "goal", "f(x) - target, exact"),
    ]  # fmt: skip
