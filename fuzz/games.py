"""Matrix games and affine inclusions."""

from typing import Any, ClassVar

import numpy as np

from fuzz import draw
from fuzz.exact import ZERO, dec, decs, dot, matvec, norm, solve, sub, transposed
from fuzz.kind import Traced, show
from fuzz.quadratic import exact_best, full, gershgorin, packed, positive_definite

LD = np.longdouble
P = 3


def payoff(x, y, A):
    """x'A y."""
    return x @ (A @ y)


class Game(Traced):
    """min over x, max over y of x'A y on two simplices: the duality gap."""

    name: ClassVar[str] = "matrix_game"
    check: ClassVar[str] = "variational_gap"
    truth_is: ClassVar[str] = "max (A'x) - min (A y), exact"
    shape: ClassVar[str] = "3 + 3"
    width: ClassVar[int] = 6
    roundable: ClassVar[tuple[str, ...]] = ("A",)
    zeroable: ClassVar[tuple[str, ...]] = ("A",)

    def draw(self, rng, dtype, count):
        """Payoffs of any size; duplicated, zero and constant rows."""
        s = draw.scales(rng, dtype, count)
        M = draw.matrix(rng, count, P, P)
        return {"A": draw.cast(draw.power(s.a)[:, None, None] * M, dtype)}

    def problem(self, one):
        """On the product of two simplices."""
        import banach as bn

        x = np.full(P, 1 / P, np.asarray(one["A"]).dtype)
        term = bn.Product(bn.Simplex(1.0), bn.Simplex(1.0))
        return bn.saddle(payoff, x, x, one["A"][None], term=term, monotone=True)

    def code(self, one):
        """The same as source."""
        x = show(np.full(P, 1 / P, np.asarray(one["A"]).dtype))
        return (
            f"bn.saddle(lambda x, y, A: x @ (A @ y), {x}, {x}, {show(one['A'])}[None], "
            "term=bn.Product(bn.Simplex(1.0), bn.Simplex(1.0)), monotone=True)"
        )

    def fields(self, batch):
        """The payoffs."""
        return [(lambda p: p.data, batch["A"][:, None])]

    def solve(self, batch):
        """Of all supports of one size, the pair with the smallest gap."""
        A = LD(batch["A"])
        count = len(A)
        supports = [[i for i in range(P) if m >> i & 1] for m in range(1, 2**P)]
        pairs = [(r, c) for r in supports for c in supports if len(r) == len(c)]
        xs, ys = [], []
        for r, c in pairs:
            x, y = np.zeros((count, P), LD), np.zeros((count, P), LD)
            k = len(r)
            for i in range(count):
                S = A[i][np.ix_(r, c)]
                x[i, r] = _equal(S.T, k)
                y[i, c] = _equal(S, k)
            xs.append(x)
            ys.append(y)
        X, Y = np.stack(xs, 1), np.stack(ys, 1)
        best_x = _best(X, np.einsum("bij,bti->btj", A, X).max(axis=2))
        best_y = _best(Y, -np.einsum("bij,btj->bti", A, Y).min(axis=2))
        return batch | {"best_x": best_x, "best_y": best_y}

    def points(self, rng, batch, dtype):
        """The solution, near it, vertices, the centre, random ones, outside."""
        out = []
        for best in (batch["best_x"], batch["best_y"]):
            count = len(best)
            noise = np.abs(rng.normal(size=(count, 3, P)))
            t = 10.0 ** rng.uniform(-16, 0, (count, 1))
            near = best + t * noise[:, 0]
            corner = np.eye(P)[rng.integers(0, P, count)]
            wide = noise[:, 1] / noise[:, 1].sum(axis=1, keepdims=True)
            away = best + 10.0 ** rng.uniform(-9, 9, (count, 1)) * (noise[:, 2] - 0.5)
            near = near / near.sum(axis=1, keepdims=True)
            every = [best, near, corner, np.full_like(best, LD(1) / P), wide, away]
            out.append(draw.cast(np.stack(every, 1), dtype))
        return tuple(out)

    def _gap(self, one, x, y):
        A = decs(one["A"])
        return max(matvec(transposed(A), x)) - min(matvec(A, y))

    def truth(self, one, x):
        """The best responses are pure: exact maxima."""
        return [self._gap(one, decs(x[0]), decs(x[1]))]

    def scale(self, one):
        """At most the largest of the gaps at the centre and at the corners."""
        A = decs(one["A"])
        third = [sum(row, ZERO) / P for row in A]
        top = [sum(row, ZERO) / P for row in transposed(A)]
        corners = [max(A[i]) - min(r[j] for r in A) for i in range(P) for j in range(P)]
        return [max([max(top) - min(third), *corners])]

    def companion(self, one):
        """The largest payoff: a gap is a difference of them."""
        return [max(abs(v) for row in decs(one["A"]) for v in row)]


def bilinear(x, y, data):
    """x'A y + b'x - c'y."""
    A, b, c = data
    return x @ (A @ y) + b @ x - c @ y


class Boxes(Traced):
    """min over x, max over y of x'A y + b'x - c'y on two boxes: the duality gap."""

    name: ClassVar[str] = "bilinear_boxes"
    check: ClassVar[str] = "variational_gap"
    truth_is: ClassVar[str] = "best responses are corners: exact; no solution is known"
    shape: ClassVar[str] = "3 + 3"
    solves: ClassVar[bool] = False
    roundable: ClassVar[tuple[str, ...]] = ("A", "b", "c", "xr", "yr")
    zeroable: ClassVar[tuple[str, ...]] = ("A", "b", "c")

    def draw(self, rng, dtype, count):
        """Boxes around 0, payoffs and tilts of any size."""
        s = draw.scales(rng, dtype, count)
        M = draw.matrix(rng, count, P, P)
        side = draw.power(s.y - s.a)[:, None]
        tilt = draw.power(s.y + rng.uniform(-6, 3, count))[:, None]
        out = {"A": draw.cast(draw.power(s.a)[:, None, None] * M, dtype)}
        for k in ("b", "c"):
            out[k] = draw.cast(tilt * rng.normal(size=(count, P)), dtype)
        for k in ("xr", "yr"):
            out[k] = draw.positive(side * rng.uniform(0.1, 2, (count, P)), dtype)
        # Half of them are tilted so that a point inside solves, up to rounding.
        inside = {
            k: rng.uniform(-0.9, 0.9, (count, P)) * LD(out[k]) for k in ("xr", "yr")
        }
        own = rng.random((count, 1)) < 0.5
        A = LD(out["A"])
        b = draw.cast(-np.einsum("bij,bj->bi", A, inside["yr"]), dtype)
        c = draw.cast(np.einsum("bij,bi->bj", A, inside["xr"]), dtype)
        out["b"], out["c"] = np.where(own, b, out["b"]), np.where(own, c, out["c"])
        out["best_x"], out["best_y"] = (inside[k] * own for k in ("xr", "yr"))
        return out

    def problem(self, one):
        """On a product of boxes [-r, r]."""
        import banach as bn

        zero = np.zeros(P, np.asarray(one["A"]).dtype)
        boxes = (bn.Box(-one[k], one[k]) for k in ("xr", "yr"))
        data = tuple(one[k][None] for k in ("A", "b", "c"))
        term = bn.Product(*boxes)
        return bn.saddle(bilinear, zero, zero, data, term=term, monotone=True)

    def code(self, one):
        """The same as source."""
        zero = show(np.zeros(P, np.asarray(one["A"]).dtype))
        boxes = ", ".join(
            f"bn.Box({show(-one[k])}, {show(one[k])})" for k in ("xr", "yr")
        )
        data = ", ".join(f"{show(one[k])}[None]" for k in ("A", "b", "c"))
        return (
            f"bn.saddle(lambda x, y, d: x @ (d[0] @ y) + d[1] @ x - d[2] @ y, {zero}, "
            f"{zero}, ({data}), term=bn.Product({boxes}), monotone=True)"
        )

    def fields(self, batch):
        """Payoffs, tilts and sides."""
        data = tuple(batch[k][:, None] for k in ("A", "b", "c"))
        return [
            (lambda p: p.data, data),
            (lambda p: p.term.terms[0].lower, -batch["xr"]),
            (lambda p: p.term.terms[0].upper, batch["xr"]),
            (lambda p: p.term.terms[1].lower, -batch["yr"]),
            (lambda p: p.term.terms[1].upper, batch["yr"]),
        ]

    def valid(self, one):
        """Sides stay positive."""
        return bool(np.all(one["xr"] > 0) and np.all(one["yr"] > 0))

    def solve(self, batch):
        """Nothing is solved."""
        return batch

    def points(self, rng, batch, dtype):
        """The solution or the centre, corners, the inside, outside."""
        out = []
        for k, best in (("xr", "best_x"), ("yr", "best_y")):
            r = LD(batch[k])
            signs = rng.choice([-1.0, 1.0], r.shape)
            far = draw.power(rng.uniform(-9, 9, len(r)))[:, None]
            every = [
                batch[best],
                signs * r,
                rng.uniform(-1, 1, r.shape) * r,
                far * r,
                r * rng.integers(-1, 2, r.shape),
                r * (1 + draw.power(rng.uniform(-17, -5, r.shape))),
            ]
            out.append(draw.cast(np.stack(every, 1), dtype))
        return tuple(out)

    def _gap(self, one, x, y):
        A, b, c, xr, yr = (decs(one[k]) for k in ("A", "b", "c", "xr", "yr"))
        over_y = sub(matvec(transposed(A), x), c)
        over_x = [p + q for p, q in zip(matvec(A, y), b, strict=True)]
        most = dot([abs(v) for v in over_y], yr) + dot(b, x)
        least = -dot([abs(v) for v in over_x], xr) - dot(c, y)
        return most - least

    def truth(self, one, x):
        """The best responses are corners."""
        return [self._gap(one, decs(x[0]), decs(x[1]))]

    def scale(self, one):
        """Left to the check: at the centre, or at the corner that answers it."""
        return [None]


def _equal(S, k):
    """Weights y >= 0, sum 1, that make S y constant, clipped."""
    from fuzz.newton import linear

    scale = np.max(np.abs(S)) or LD(1)
    M = np.zeros((k + 1, k + 1), LD)
    M[:k, :k], M[:k, k], M[k, :k] = S / scale, -1, 1
    b = np.zeros(k + 1, LD)
    b[k] = 1
    y = linear((M.T @ M)[None], (M.T @ b)[None])[0][:k]
    y = np.maximum(np.where(np.isfinite(y), y, 0), 0)
    total = y.sum()
    return y / total if total > 0 else np.full(k, LD(1) / k)


def _best(T, values):
    return T[np.arange(len(T)), values.argmin(axis=1)]


def field(z, data):
    """M z + q."""
    M, q = data
    return M @ z + q


class Affine(Traced):
    """0 = M z + q with M strongly monotone."""

    shape: ClassVar[str] = "3"
    roundable: ClassVar[tuple[str, ...]] = ("T", "S", "q", "reference")
    zeroable: ClassVar[tuple[str, ...]] = ("T", "S", "q", "reference")

    def __init__(self, name, check, truth_is):
        super().__init__()
        self.name, self.check, self.truth_is = name, check, truth_is

    def draw(self, rng, dtype, count):
        """A definite symmetric part, and a skew one."""
        s = draw.scales(rng, dtype, count)
        Q, mu, _ = positive_definite(rng, s.a, dtype)
        Q[~(mu >= np.finfo(dtype).tiny)] = np.eye(P, dtype=dtype)
        turn = draw.power(s.a + rng.uniform(-3, 2, count))[:, None]
        q = draw.power(s.y)[:, None]
        far = draw.power(s.y - s.a + rng.uniform(-3, 3, count))[:, None]
        return {
            "T": packed(Q),
            "S": draw.cast(turn * rng.normal(size=(count, P)), dtype),
            "q": draw.cast(q * rng.normal(size=(count, P)), dtype),
            "reference": draw.cast(far * rng.normal(size=(count, P)), dtype),
        }

    def _matrix(self, b):
        T, S = full(b["T"]), np.asarray(b["S"])
        K = np.zeros_like(T)
        for k, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
            K[..., i, j], K[..., j, i] = S[..., k], -S[..., k]
        # Off the diagonal the sum is rounded: the symmetric part that counts is exact
        # only where one of the two is 0, so the bound below takes M as it is.
        return T + K

    def _mu(self, M):
        dtype = M.dtype
        W = (LD(M) + np.swapaxes(LD(M), 1, 2)) / 2
        return gershgorin(W, dtype)[0]

    def valid(self, one):
        """Whether M is still proved strongly monotone."""
        M = self._matrix(one)[None]
        return bool(self._mu(M)[0] >= np.finfo(M.dtype).tiny)

    def problem(self, one):
        """With mu declared."""
        import banach as bn

        M = self._matrix(one)
        zero = np.zeros(P, M.dtype)
        data = (M[None], np.asarray(one["q"])[None])
        return bn.Inclusion(field, zero, data, mu=self._mu(M[None])[0], monotone=True,
                            reference=one["reference"])  # fmt: skip

    def code(self, one):
        """The same as source."""
        M = self._matrix(one)
        zero, mu = show(np.zeros(P, M.dtype)), show(self._mu(M[None])[0])
        return (
            f"bn.Inclusion(lambda z, d: d[0] @ z + d[1], {zero}, "
            f"({show(M)}[None], {show(one['q'])}[None]), mu={mu}"
            f", monotone=True, reference={show(one['reference'])})"
        )

    def fields(self, batch):
        """Data, mu and reference."""
        M = self._matrix(batch)
        mu = np.maximum(self._mu(M), np.finfo(M.dtype).tiny)
        return [
            (lambda p: p.data, (M[:, None], batch["q"][:, None])),
            (lambda p: p.constants["mu"], mu),
            (lambda p: p.reference, batch["reference"]),
        ]

    def solve(self, batch):
        """-M^-1 q."""
        return batch | {"best": exact_best({"Q": self._matrix(batch),
                                            "b": -batch["q"]})}  # fmt: skip

    def points(self, rng, batch, dtype):
        """Around the solution."""
        best = np.where(np.isfinite(batch["best"]), batch["best"], 0)
        return draw.points(rng, best, batch["reference"], dtype)

    def _field(self, one, z):
        F = matvec(decs(self._matrix(one)), decs(z))
        return [a + b for a, b in zip(F, decs(one["q"]), strict=True)]

    def truth(self, one, x):
        """||M z + q||, or ||z - z*||."""
        F = self._field(one, x)
        if self.check == "inclusion":
            return [norm(F)]
        if not self.valid(one):
            return [None]
        d = solve(decs(self._matrix(one)), F)
        return [None if d is None else norm(d)]

    def scale(self, one):
        """The residual at the reference, over mu."""
        F = norm(self._field(one, one["reference"]))
        if self.check == "inclusion":
            return [F]
        M = self._matrix(one)[None]
        mu = decs(np.maximum(self._mu(M), np.finfo(M.dtype).tiny))[0]
        return [F / mu]


def second(x, Q, b, E, e, G, h):
    """The objective of `Program`."""
    del E, e, G, h
    return x @ (Q @ x) / 2 - b @ x


def equations(x, Q, b, E, e, G, h):
    """E x - e."""
    del Q, b, G, h
    return E @ x - e


def inequalities(x, Q, b, E, e, G, h):
    """G x - h."""
    del Q, b, E, e
    return G @ x - h


class Program(Traced):
    """A convex quadratic under one equation and two inequalities: KKT parts."""

    name: ClassVar[str] = "quadratic_program"
    check: ClassVar[str] = "kkt"
    truth_is: ClassVar[str] = "every part for the multipliers that came back, exact"
    shape: ClassVar[str] = "3, 1 + 2 rows"
    solves: ClassVar[bool] = False
    wants_dual: ClassVar[bool] = True
    dtypes: ClassVar[tuple[Any, ...]] = (np.float64,)
    roundable: ClassVar[tuple[str, ...]] = ("T", "b", "E", "e", "G", "h", "reference")
    zeroable: ClassVar[tuple[str, ...]] = roundable

    def draw(self, rng, dtype, count):
        """Rows of their own scales, duplicated and zero ones; right sides to match."""
        s = draw.scales(rng, dtype, count)
        Q, mu, _ = positive_definite(rng, s.a, dtype)
        Q[~(mu >= np.finfo(dtype).tiny)] = np.eye(P, dtype=dtype)
        R = draw.matrix(rng, count, P, P)
        row = draw.power(rng.uniform(-1, 1, (count, P)) * rng.choice(
            [1.0, 10.0, 60.0], (count, 1)))  # fmt: skip
        x = draw.power(s.y - s.a)[:, None] * rng.normal(size=(count, P))
        rows = draw.cast(row[..., None] * R, dtype)
        side = np.einsum("bij,bj->bi", LD(rows), x)
        side[:, 1:] += np.abs(side[:, 1:]) * rng.choice([0, 0, 1.0], (count, 2))
        right = draw.cast(side, dtype)
        b = draw.power(s.y)[:, None] * rng.normal(size=(count, P))
        at = x * (1 + draw.power(rng.uniform(-2, 3, count))[:, None])
        return {
            "T": packed(Q), "b": draw.cast(b, dtype), "E": rows[:, :1],
            "e": right[:, :1], "G": rows[:, 1:], "h": right[:, 1:],
            "reference": draw.cast(at, dtype),
        }  # fmt: skip

    def _args(self, b):
        return (full(b["T"]), *(b[k] for k in ("b", "E", "e", "G", "h")))

    def problem(self, one):
        """Stated by functions."""
        import banach as bn

        zero = np.zeros(P, np.asarray(one["b"]).dtype)
        return bn.Constrained(
            second,
            zero,
            self._args(one),
            eq=equations,
            ineq=inequalities,
            reference=one["reference"],
        )

    def code(self, one):
        """The same as source."""
        data = ", ".join(show(v) for v in self._args(one))
        given = "x, Q, b, E, e, G, h"
        return (
            f"bn.Constrained(lambda {given}: x @ (Q @ x) / 2 - b @ x, "
            f"{show(np.zeros(P))}, ({data}), eq=lambda {given}: E @ x - e, "
            f"ineq=lambda {given}: G @ x - h, reference={show(one['reference'])})"
        )

    def fields(self, batch):
        """Data and reference."""
        return [(lambda p: p.args, self._args(batch)),
                (lambda p: p.reference, batch["reference"])]  # fmt: skip

    def solve(self, batch):
        """The best of all active sets, by exact elimination."""
        from fuzz.exact import DIGITS, dec, digits

        out = np.zeros(batch["b"].shape, LD)
        with digits(2 * DIGITS):
            for i in range(len(out)):
                Q, b, E, e, G, h = (decs(v) for v in
                                    self._args(self.one(batch, i)))  # fmt: skip
                found = None
                for active in ([], [0], [1], [0, 1]):
                    rows = [*E, *(G[k] for k in active)]
                    right = [*e, *(h[k] for k in active)]
                    m = len(rows)
                    K = [[*Q[j], *(r[j] for r in rows)] for j in range(P)]
                    K += [[*r, *[ZERO] * m] for r in rows]
                    z = solve(K, [*b, *right])
                    if z is None or any(v < 0 for v in z[P + 1 :]):
                        continue
                    far = sub(matvec(G, z[:P]), h)
                    if max(far) <= dec("1e-40") * max(abs(v) for v in [*h, *far]):
                        found = z[:P]
                        break
                if found is not None:
                    out[i] = [LD(str(v)) for v in found]
        return batch | {"best": out}

    def points(self, rng, batch, dtype):
        """Around the solution; zero where none was found."""
        best = np.where(np.isfinite(batch["best"]), batch["best"], 0)
        return draw.points(rng, best, batch["reference"], dtype)

    def _at(self, one, x):
        Q, b, E, e, G, h = (decs(v) for v in self._args(one))
        x = decs(x)
        rows, right = [*E, *G], [*e, *h]
        return sub(matvec(Q, x), b), sub(matvec(rows, x), right), rows

    def _units(self, one):
        """(F, G, units of the rows) at the reference, None where g is rounding."""
        g, c, rows = self._at(one, one["reference"])
        Q, b, x = (decs(v) for v in (full(one["T"]), one["b"], one["reference"]))
        for j, v in enumerate(g):
            terms = sum((abs(q * z) for q, z in zip(Q[j], x, strict=True)), abs(b[j]))
            if terms and abs(v) < dec("1e-9") * terms:
                return None
        G = [abs(v) for v in g]
        price = [
            min((G[j] / abs(r[j]) for j in range(P) if G[j] and r[j]), default=ZERO)
            for r in rows
        ]
        known = [max(p * abs(v) for p, v in zip(price, c, strict=True))]
        G = [v or max(p * abs(r[j]) for p, r in zip(price, rows, strict=True))
             for j, v in enumerate(G)]  # fmt: skip
        way = [v / k / k if k else ZERO for v, k in zip(g, G, strict=True)]
        bend = dot(way, matvec(Q, way))
        terms = sum(abs(a * q * b) for a, row in zip(way, Q, strict=True)
                    for q, b in zip(row, way, strict=True))  # fmt: skip
        if bend and abs(bend) < dec("1e-9") * terms:
            return None
        if bend > 0:
            known.append(dot(g, way) ** 2 / (2 * bend))
        known = [v for v in known if v > 0]
        F = min(known) if known else max(k * abs(v) for k, v in zip(G, x, strict=True))
        one_ = decs([1.0])[0]
        X = [F / k if F and k else one_ for k in G]
        F = F or norm(g)
        u = [max(abs(v), norm([a * t for a, t in zip(r, X, strict=True)]))
             for v, r in zip(c, rows, strict=True)]  # fmt: skip
        return F, X, [v if v else one_ for v in u]

    def truth(self, one, x):
        """By the names of the parts, at least."""
        g, c, rows = self._at(one, x)
        lam = decs(one["dual"])
        h = [a + dot(lam, [r[j] for r in rows]) for j, a in enumerate(g)]
        seen = self._units(one)
        if seen is None:
            return {}
        s, X, u = seen
        relative = [a / b for a, b in zip(c, u, strict=True)]
        moved = [abs(a * b) for a, b in zip(lam[1:], c[1:], strict=True)]
        found = {
            "Lagrangian gradient": max(abs(a * t) for a, t in zip(h, X, strict=True))
            / s
            if s
            else ZERO,
            "equations": abs(relative[0]),
            "inequalities": max(ZERO, *relative[1:]),
            "complementarity": sum(moved),
        }
        if s:
            price = sum(abs(m * v) for m, v in zip(lam, u, strict=True)) / s
            found["multiplier growth"] = price * sum(
                abs(m * v) for m, v in zip(lam, c, strict=True)) / s  # fmt: skip
        return found

    def scale(self, one):
        """The unit of f."""
        seen = self._units(one)
        return {} if seen is None else {"complementarity": seen[0]}


def kinds() -> list[Any]:
    """Games, inclusions, and a quadratic program."""
    return [
        Game(),
        Boxes(),
        Affine("inclusion", "inclusion", "||M z + q||, exact"),
        Affine("inclusion_distance", "inclusion_distance", "||z + M^-1 q||, exact"),
        Program(),
    ]
