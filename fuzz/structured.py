"""Least squares with an l1 term, and one of K x: both parts of the saddle problem."""

from typing import Any, ClassVar

import numpy as np

from fuzz import draw
from fuzz.exact import ZERO, dec, decs, matvec, norm, sub, transposed
from fuzz.kind import Traced, show

P = 3


def distance(x, c, b):
    """sum c (x - b)^2 / 2."""
    return (c * (x - b) ** 2).sum() / 2


class Coupled(Traced):
    """sum c (x - b)^2 / 2 + mu ||x||_1 + lam ||K x||_1, in any units."""

    name: ClassVar[str] = "structured"
    check: ClassVar[str] = "primal_dual"
    truth_is: ClassVar[str] = "both distances for the y that came back, exact"
    shape: ClassVar[str] = "3, 3 rows"
    wants_dual: ClassVar[bool] = True
    roundable: ClassVar[tuple[str, ...]] = ("c", "b", "K", "mu", "lam")
    zeroable: ClassVar[tuple[str, ...]] = ("b", "K")

    def draw(self, rng, dtype, count):
        """Units of x, of f and of K x of any size; penalties from 1e-3 of theirs."""
        far = 4 if np.dtype(dtype) == np.float32 else 60
        p, q, r = rng.uniform(-far, far, (3, count)) * (rng.random(count) < 0.7)
        ten, one = draw.power, np.ones((count, 1))
        K = ten(r)[:, None, None] * draw.matrix(rng, count, P, P)
        sizes = {
            "c": ten(q - 2 * p)[:, None] * rng.uniform(0.1, 3, (count, P)),
            "mu": ten(q - p + rng.uniform(-3, 1, count)),
            "lam": ten(q - p - r + rng.uniform(-3, 1, count)),
        }
        out = {k: draw.positive(v, dtype) for k, v in sizes.items()}
        b = ten(p)[:, None] * rng.normal(size=(count, P))
        return out | {
            "b": draw.cast(b, dtype),
            "K": draw.cast(K, dtype),
            "unit": draw.positive(ten(p)[:, None] * one, dtype)[:, 0],
        }

    def problem(self, one):
        """With the reference 0."""
        import banach as bn

        zero, c = np.zeros(P, np.asarray(one["b"]).dtype), np.asarray(one["c"])
        return bn.Structured(distance, bn.L1(one["mu"]), bn.L1(one["lam"]), one["K"],
                             zero, (c, one["b"]), convex=True, L=c.max(),
                             reference=zero)  # fmt: skip

    def code(self, one):
        """The same as source."""
        zero = show(np.zeros(P, np.asarray(one["b"]).dtype))
        mu, lam, K, c, b = (show(one[k]) for k in ("mu", "lam", "K", "c", "b"))
        return (
            "bn.Structured(lambda x, c, b: (c * (x - b) ** 2).sum() / 2, "
            f"bn.L1({mu}), bn.L1({lam}), {K}, {zero}, ({c}, {b}), convex=True, "
            f"L={show(np.asarray(one['c']).max())}, reference={zero})"
        )

    def fields(self, batch):
        """Data, penalties, K and L."""
        return [
            (lambda p: p.f.args, (batch["c"], batch["b"])),
            (lambda p: p.f.L, batch["c"].max(axis=1)),
            (lambda p: p.g.lam, batch["mu"]),
            (lambda p: p.h.lam, batch["lam"]),
            (lambda p: p.K.entries, batch["K"]),
        ]

    def solve(self, batch):
        """No solution is known; the default method finds its own."""
        return batch

    def points(self, rng, batch, dtype):
        """0, the targets, beside them, and far away."""
        b = np.asarray(batch["b"], np.longdouble)
        u = np.asarray(batch["unit"], np.longdouble)[:, None]
        away = 10.0 ** rng.uniform(-9, 3, (len(b), 1)) * u * rng.normal(size=b.shape)
        near = b * (1 + 10.0 ** rng.uniform(-16, 0, (len(b), 1)))
        every = [0 * b, near, b, 0 * b, b + away, away]
        return draw.cast(np.stack(every, 1), dtype)

    def _slope(self, one, x, y):
        c, b, K = (decs(one[k]) for k in ("c", "b", "K"))
        g = [u * v for u, v in zip(c, sub(x, b), strict=True)]
        back = matvec(transposed(K), y)
        return [u + v for u, v in zip(g, back, strict=True)]

    def truth(self, one, x):
        """Where |y| is lam up to roundings, the ray of the normal cone counts."""
        x, y = decs(x), decs(one["dual"])
        mu, lam = dec(one["mu"]), dec(one["lam"])
        slope = self._slope(one, x, y)
        first = [
            max(abs(s) - mu, ZERO) if v == 0 else abs(s + mu.copy_sign(v))
            for s, v in zip(slope, x, strict=True)
        ]
        second: list[Any] = []
        for v, w in zip(y, matvec(decs(one["K"]), x), strict=True):
            ray = max(-w if v > 0 else w, ZERO)
            second.append(ray if abs(v) > lam * dec("0.99") else abs(w))
        return [norm(first), norm(second)]

    def scale(self, one):
        """Left to the check: a step from 0 alone."""
        return [None, None]


def kinds() -> list[Any]:
    """The one kind."""
    return [Coupled()]
