"""Quadratics with exactly known minimisers: gradients, gaps, distances, systems."""

from typing import Any, ClassVar

import numpy as np

from fuzz import draw
from fuzz.exact import TWO, ZERO, dec, decs, dot, matvec, norm, solve, sub
from fuzz.kind import Traced, show

LD = np.longdouble
P = 3


def quadratic(x, Q, b):
    """x'Q x / 2 - b'x."""
    return x @ (Q @ x) / 2 - b @ x


def positive_definite(rng, e, dtype):
    """Symmetric Q of size 10^e with its Gershgorin bounds mu and L, rounded outward."""
    count = len(e)
    M = rng.normal(size=(count, P, P))
    whole = rng.random(count) < 0.3
    M[whole] = rng.integers(-2, 3, (whole.sum(), P, P))
    M = np.triu(M, 1)
    M = M + np.swapaxes(M, 1, 2)
    M[rng.random(count) < 0.15] = 0
    off = np.abs(M).sum(axis=2)
    extra = 10.0 ** rng.uniform(-5, 2, (count, P))
    at = np.arange(P)
    M[:, at, at] = off + extra + 1e-4 * off
    s = 10.0 ** rng.uniform(-3, 3, (count, P)) if rng.random() < 0.3 else 1.0
    M = M * (s if np.ndim(s) == 0 else 1.0)
    Q = draw.cast(draw.power(e)[:, None, None] * M, dtype)
    return Q, *gershgorin(Q, dtype)


UPPER = np.triu_indices(P)


def packed(Q):
    """The upper triangle, row by row: what is shrunk stays symmetric."""
    return Q[..., UPPER[0], UPPER[1]]


def full(T):
    """The symmetric matrix of an upper triangle."""
    T = np.asarray(T)
    Q = np.zeros((*T.shape[:-1], P, P), T.dtype)
    Q[..., UPPER[0], UPPER[1]] = T
    Q[..., UPPER[1], UPPER[0]] = T
    return Q


def gershgorin(Q, dtype):
    """mu at most, and L at least, the extreme eigenvalues; mu > 0."""
    W = LD(Q)
    diag = np.einsum("bii->bi", W)
    off = np.abs(W).sum(axis=2) - np.abs(diag)
    mu = np.min(diag - off, axis=1) * LD(0.999)
    L = np.max(diag + off, axis=1) * LD(1.001)
    tiny, big = np.finfo(dtype).tiny, np.finfo(dtype).max
    return (np.clip(mu, 0, big).astype(dtype), np.clip(L, tiny, big).astype(dtype))


def exact_best(batch, matrix="Q", right="b"):
    """Solutions of Q x = b in extended precision, NaN where Q is singular."""
    from fuzz.exact import DIGITS, digits

    out = np.zeros(np.shape(batch[right]), LD)
    with digits(2 * DIGITS):
        for i, (Q, b) in enumerate(zip(batch[matrix], batch[right], strict=True)):
            x = solve(decs(Q), decs(b))
            out[i] = np.nan if x is None else [_long(v) for v in x]
    return out


def _long(v):
    return LD(str(v))


class Quadratic(Traced):
    """bn.Smooth of x'Qx/2 - b'x with Gershgorin's mu and L."""

    shape: ClassVar[str] = "3"
    roundable: ClassVar[tuple[str, ...]] = ("T", "b", "x0", "reference")
    zeroable: ClassVar[tuple[str, ...]] = ("T", "b", "x0", "reference")
    imports: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name, check, truth_is):
        super().__init__()
        self.name, self.check, self.truth_is = name, check, truth_is

    def draw(self, rng, dtype, count):
        """Scales of Q and b, starts and references."""
        s = draw.scales(rng, dtype, count)
        Q, mu, L = positive_definite(rng, s.a, dtype)
        bad = ~(mu >= np.finfo(dtype).tiny)
        Q[bad] = np.eye(P, dtype=dtype)
        mu[bad], L[bad] = 0.999, 1.001
        b = draw.cast(draw.power(s.y)[:, None] * rng.normal(size=(count, P)), dtype)
        b[rng.random(count) < 0.05] = 0
        far = draw.power(s.y - s.a + rng.uniform(-4, 4, count))[:, None]
        x0 = draw.cast(far * rng.normal(size=(count, P)), dtype)
        at = draw.cast(far * rng.normal(size=(count, P)), dtype)
        return {"T": packed(Q), "b": b, "x0": x0, "reference": at}

    def constants(self, batch):
        """mu, L and a radius that holds, from the data."""
        dtype = np.asarray(batch["T"]).dtype
        mu, L = gershgorin(full(batch["T"]), dtype)
        with np.errstate(all="ignore"):
            d = np.abs(LD(batch["x0"]) - batch["best"]).sum(axis=1) * LD(1.01)
        d = np.where(np.isfinite(d), d, np.finfo(dtype).max)
        return mu, L, draw.positive(d, dtype)

    def problem(self, one):
        """With all facts declared."""
        import banach as bn

        b = {k: np.asarray(v)[None] for k, v in one.items() if k != "dual"}
        mu, L, radius = (v[0] for v in self.constants(b))
        return bn.Smooth(
            quadratic, one["x0"], (full(one["T"]), one["b"]), mu=mu, L=L, convex=True,
            radius=radius, reference=one["reference"],
        )  # fmt: skip

    def code(self, one):
        """The same as source."""
        b = {k: np.asarray(v)[None] for k, v in one.items() if k != "dual"}
        mu, L, radius = (v[0] for v in self.constants(b))
        return (
            f"bn.Smooth(lambda x, Q, b: x @ (Q @ x) / 2 - b @ x, {show(one['x0'])}, "
            f"({show(full(one['T']))}, {show(one['b'])}), mu={show(mu)}, L={show(L)}, "
            f"radius={show(radius)}, convex=True, reference={show(one['reference'])})"
        )

    def fields(self, batch):
        """Data, start, reference and constants."""
        mu, L, radius = self.constants(batch)
        return [
            (lambda p: p.args, (full(batch["T"]), batch["b"])),
            (lambda p: p.x0, batch["x0"]),
            (lambda p: p.reference, batch["reference"]),
            (lambda p: p.mu, mu),
            (lambda p: p.L, L),
            (lambda p: p.radius, radius),
        ]

    def solve(self, batch):
        """Q^-1 b."""
        Q = full(batch["T"])
        return batch | {"best": exact_best({"Q": Q, "b": batch["b"]})}

    def valid(self, one):
        """Whether Gershgorin still proves Q positive definite."""
        dtype = np.asarray(one["T"]).dtype
        mu, _ = gershgorin(full(one["T"])[None], dtype)
        return bool(mu[0] >= np.finfo(dtype).tiny)

    def points(self, rng, batch, dtype):
        """Around the minimiser, the reference, anywhere."""
        return draw.points(rng, batch["best"], batch["reference"], dtype)

    def _gradient(self, one, x):
        return sub(matvec(decs(full(one["T"])), decs(x)), decs(one["b"]))

    def truth(self, one, x):
        """The gradient's norm, the gap or the distance, from Q^-1."""
        g = self._gradient(one, x)
        if self.check == "stationarity":
            return [norm(g)]
        d = solve(decs(full(one["T"])), g)
        if d is None:
            return [None]
        if self.check == "strong_distance":
            return [norm(d)]
        if self.check == "ball_gap" and not self._reaches(one):
            return [None]
        return [dot(g, d) / 2]

    def _reaches(self, one):
        """Whether the radius, rounded to the dtype, still reaches the minimiser."""
        d = solve(decs(full(one["T"])), self._gradient(one, one["x0"]))
        b = {k: np.asarray(v)[None] for k, v in one.items() if k != "dual"}
        return d is not None and norm(d) <= dec(self.constants(b)[2][0])

    def scale(self, one):
        """As the check says, at the reference."""
        g = self._gradient(one, one["reference"])
        if self.check == "stationarity":
            return [norm(g)]
        b = {k: np.asarray(v)[None] for k, v in one.items() if k != "dual"}
        mu, _, radius = (dec(v[0]) for v in self.constants(b))
        if self.check == "strong_distance":
            return [norm(g) / mu]
        if self.check == "ball_gap":
            d = sub(decs(one["reference"]), decs(one["x0"]))
            return [dot(g, d) + radius * norm(g)]
        bend = dot(g, matvec(decs(full(one["T"])), g))
        square = dot(g, g)
        return [square * square / (TWO * bend) if bend else ZERO]


class System(Traced):
    """A x = b, dense: residual, distance and energy."""

    shape: ClassVar[str] = "3"
    roundable: ClassVar[tuple[str, ...]] = ("Q", "b")
    zeroable: ClassVar[tuple[str, ...]] = ("b",)

    def __init__(self, name, check, truth_is, definite=False):
        super().__init__()
        self.name, self.check, self.truth_is = name, check, truth_is
        self.definite = definite
        self.solves = definite
        if definite:
            self.roundable = self.zeroable = ("T", "b")

    def draw(self, rng, dtype, count):
        """Definite by Gershgorin, or any matrix, singular ones among them."""
        s = draw.scales(rng, dtype, count)
        if self.definite:
            Q, mu, _ = positive_definite(rng, s.a, dtype)
            Q[~(mu >= np.finfo(dtype).tiny)] = np.eye(P, dtype=dtype)
        else:
            M = draw.matrix(rng, count, P, P)
            Q = draw.cast(draw.power(s.a)[:, None, None] * M, dtype)
        b = draw.cast(draw.power(s.y)[:, None] * rng.normal(size=(count, P)), dtype)
        b[rng.random(count) < 0.05] = 0
        return {"T": packed(Q), "b": b} if self.definite else {"Q": Q, "b": b}

    def _matrix(self, one):
        return full(one["T"]) if self.definite else one["Q"]

    def valid(self, one):
        """Whether a definite one still is, by Gershgorin."""
        if not self.definite:
            return True
        dtype = np.asarray(one["T"]).dtype
        mu, _ = gershgorin(full(one["T"])[None], dtype)
        return bool(mu[0] >= np.finfo(dtype).tiny)

    def problem(self, one):
        """Definiteness is declared where it holds."""
        import banach as bn

        if self.definite:
            return bn.Linear(self._matrix(one), one["b"], positive_definite=True)
        return bn.Linear(self._matrix(one), one["b"], symmetric=False)

    def code(self, one):
        """The same as source."""
        more = "positive_definite=True" if self.definite else "symmetric=False"
        return f"bn.Linear({show(self._matrix(one))}, {show(one['b'])}, {more})"

    def stack(self, batch):
        """A template without the proof of definiteness, which would be static."""
        key = str(batch["b"].dtype)
        if key not in self._models:
            Q = np.eye(P) if self.definite else np.triu(np.ones((P, P)))
            one = {"T": packed(Q), "Q": Q, "b": np.ones(P)}
            one = {k: v.astype(key) for k, v in one.items()}
            self._models[key] = self.problem(one)
        return super().stack(batch)

    def fields(self, batch):
        """Matrix and right side."""
        return [
            (lambda p: p.A.entries, self._matrix(batch)),
            (lambda p: p.b, batch["b"]),
        ]

    def solve(self, batch):
        """A^-1 b; zero where A is singular."""
        best = exact_best({"Q": self._matrix(batch), "b": batch["b"]})
        return batch | {"best": np.where(np.isfinite(best), best, 0)}

    def points(self, rng, batch, dtype):
        """Around the solution, zero, anywhere."""
        return draw.points(rng, batch["best"], np.zeros_like(batch["best"]), dtype)

    def truth(self, one, x):
        """||b - A x||, ||x - A^-1 b||, or the energy norm of that."""
        r = sub(decs(one["b"]), matvec(decs(self._matrix(one)), decs(x)))
        if self.check == "linear_residual":
            return [norm(r)]
        d = solve(decs(self._matrix(one)), r)
        if d is None:
            # Singular: no solution, or many; a finite bound is false either way.
            return [dec(np.inf)]
        if self.check == "linear_distance":
            return [norm(d)]
        return [dot(r, d).sqrt()]

    def scale(self, one):
        """||b||; the size of the solution, which the scale may not exceed."""
        b = decs(one["b"])
        if self.check == "linear_residual":
            return [norm(b)]
        x = solve(decs(self._matrix(one)), b)
        if x is None:
            return [None]
        if self.check == "linear_distance":
            return [norm(x)]
        return [dot(b, x).sqrt()]


def affine(x, M, c):
    """M x + c."""
    return M @ x + c


class Map(Traced):
    """x = M x + c with a contraction factor that holds in the norm."""

    shape: ClassVar[str] = "3"
    roundable: ClassVar[tuple[str, ...]] = ("M", "c", "reference")
    zeroable: ClassVar[tuple[str, ...]] = ("M", "c", "reference")

    def __init__(self, name, check, truth_is, norm="inf"):
        super().__init__()
        self.name, self.check, self.truth_is, self.norm = name, check, truth_is, norm

    def draw(self, rng, dtype, count):
        """||M|| = q in (0, 1), near 1 at times; c of any size."""
        s = draw.scales(rng, dtype, count)
        M = rng.normal(size=(count, P, P))
        M[rng.random((count, P, P)) < 0.3] = 0
        q = np.where(rng.random(count) < 0.5, rng.uniform(0.01, 0.99, count),
                     1 - 10.0 ** rng.uniform(-6, -1, count))  # fmt: skip
        size = np.abs(M).sum(axis=2).max(axis=1)
        if self.norm == "2":
            size = np.sqrt((M**2).sum(axis=(1, 2)))
        M = M * (q * 0.9999 / np.where(size > 0, size, 1))[:, None, None]
        c = draw.cast(draw.power(s.y)[:, None] * rng.normal(size=(count, P)), dtype)
        c[rng.random(count) < 0.05] = 0
        at = draw.power(s.y + rng.uniform(-4, 4, count))[:, None]
        at = draw.cast(at * rng.normal(size=(count, P)), dtype)
        return {"M": draw.cast(M, dtype), "c": c, "reference": at}

    def _q(self, batch):
        """An upper bound of ||M||, below 1."""
        M = LD(batch["M"])
        if self.norm == "2":
            q = np.sqrt((M**2).sum(axis=(1, 2)))
        else:
            q = np.abs(M).sum(axis=2).max(axis=1)
        dtype = np.asarray(batch["M"]).dtype
        q = np.maximum(q * LD(1.00001), LD(1e-3)).astype(dtype)
        return np.minimum(q, np.nextafter(dtype.type(1), dtype.type(0)))

    def problem(self, one):
        """With the factor declared."""
        import banach as bn

        q = self._q({"M": np.asarray(one["M"])[None]})[0]
        x0 = np.zeros(P, np.asarray(one["c"]).dtype)
        return bn.FixedPoint(affine, x0, (one["M"], one["c"]), contraction=q,
                             norm=self.norm, reference=one["reference"])  # fmt: skip

    def code(self, one):
        """The same as source."""
        q = self._q({"M": np.asarray(one["M"])[None]})[0]
        zero = show(np.zeros(P, np.asarray(one["c"]).dtype))
        return (
            f"bn.FixedPoint(lambda x, M, c: M @ x + c, {zero}, ({show(one['M'])}, "
            f"{show(one['c'])}), contraction={show(q)}, norm={self.norm!r}, "
            f"reference={show(one['reference'])})"
        )

    def fields(self, batch):
        """Data, factor and reference."""
        return [
            (lambda p: p.args, (batch["M"], batch["c"])),
            (lambda p: p.q, self._q(batch)),
            (lambda p: p.reference, batch["reference"]),
        ]

    def solve(self, batch):
        """(I - M)^-1 c."""
        eye = np.eye(P, dtype=LD)
        return batch | {"best": exact_best({"Q": eye - LD(batch["M"]),
                                            "b": batch["c"]})}  # fmt: skip

    def points(self, rng, batch, dtype):
        """Around the fixed point, the reference, anywhere."""
        return draw.points(rng, batch["best"], batch["reference"], dtype)

    def _size(self, v):
        return norm(v) if self.norm == "2" else max(abs(a) for a in v)

    def _left(self, one, x):
        x = decs(x)
        moved = matvec(decs(one["M"]), x)
        return [a - b - c for a, b, c in zip(x, moved, decs(one["c"]), strict=True)]

    def truth(self, one, x):
        """||x - T x||, or (I - M)^-1 of it."""
        r = self._left(one, x)
        if self.check == "fixed_point":
            return [self._size(r)]
        M = decs(one["M"])
        A = [[dec(i == j) - M[i][j] for j in range(P)] for i in range(P)]
        d = solve(A, r)
        return [None if d is None else self._size(d)]

    def scale(self, one):
        """The same at the reference, over 1 - q."""
        r = self._size(self._left(one, one["reference"]))
        if self.check == "fixed_point":
            return [r]
        q = dec(self._q({"M": np.asarray(one["M"])[None]})[0])
        # 1 - q is lowered by its rounding.
        left = 1 - q - dec(4 * np.finfo(np.float64).eps)
        return [r / left if left > 0 else None]


def kinds() -> list[Any]:
    """Smooth quadratics, linear systems, affine maps."""
    return [
        Quadratic("stationarity", "stationarity", "||Q x - b||, exact"),
        Quadratic("strong_gap", "strong_gap", "g'Q^-1 g / 2, exact"),
        Quadratic("strong_distance", "strong_distance", "||Q^-1 g||, exact"),
        Quadratic("ball_gap", "ball_gap", "g'Q^-1 g / 2, exact"),
        System("linear", "linear_residual", "||b - A x||, exact"),
        System("linear_spd", "linear_residual", "||b - A x||, exact", True),
        System("linear_distance", "linear_distance", "||x - A^-1 b||, exact"),
        System("energy_error", "energy_error", "||x - A^-1 b||_A, exact", True),
        Map("contraction", "contraction", "|x - (I - M)^-1 c|, exact"),
        Map("contraction_2", "contraction", "||x - (I - M)^-1 c||, exact", "2"),
        Map("fixed_point", "fixed_point", "||x - T x||, exact", "2"),
    ]
