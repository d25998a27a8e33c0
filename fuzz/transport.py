"""Entropic and exact transport of three masses to three."""

from typing import Any, ClassVar

import numpy as np

from fuzz import draw
from fuzz.exact import ZERO, dec, decs, dot, exp
from fuzz.kind import Kind, show

LD = np.longdouble
M = 3


class Transport(Kind):
    """Bounds of the dual suboptimality, and the marginals."""

    shape: ClassVar[str] = "3 x 3"
    solves: ClassVar[bool] = True
    roundable: ClassVar[tuple[str, ...]] = ("C", "eps")
    zeroable: ClassVar[tuple[str, ...]] = ("C",)

    def __init__(self, name, check, truth_is, solves):
        self.name, self.check, self.truth_is = name, check, truth_is
        self.solves = solves

    def draw(self, rng, dtype, count):
        """Masses k / 64 times a power of two sum alike exactly; costs of any size."""
        s = draw.scales(rng, dtype, count)
        mass = {}
        unit = 2.0 ** np.round(np.clip(s.y / 3, -20, 20) * rng.integers(0, 2, count))
        for k in ("a", "b"):
            cuts = np.sort(rng.integers(0, 61, (count, 2)), axis=1)
            parts = (
                np.diff(
                    np.concatenate(
                        [np.zeros((count, 1)), cuts, np.full((count, 1), 61)], axis=1
                    )
                )
                + 1
            )
            mass[k] = draw.cast(parts / 64 * unit[:, None], dtype)
        C = draw.matrix(rng, count, M, M)
        C = np.where(rng.random((count, 1, 1)) < 0.7, np.abs(C), C)
        C = draw.cast(draw.power(s.a)[:, None, None] * C, dtype)
        top = np.abs(C).max(axis=(1, 2)).astype(LD)
        eps = np.where(top > 0, top, 1) * draw.power(rng.uniform(-3, 2, count))
        return {"C": C, "eps": draw.positive(eps, dtype), **mass}

    def problem(self, one):
        """A stored cost."""
        import banach as bn

        return bn.Transport(one["C"], one["a"], one["b"], one["eps"])

    def code(self, one):
        """The same as source."""
        data = ", ".join(show(one[k]) for k in ("C", "a", "b", "eps"))
        return f"bn.Transport({data})"

    def solve(self, batch):
        """Sinkhorn in 80 bits: two hundred rounds, centred."""
        C, a, b, e = (LD(batch[k]) for k in ("C", "a", "b", "eps"))
        e = e[:, None]
        f, g = np.zeros(a.shape, LD), np.zeros(b.shape, LD)
        with np.errstate(all="ignore"):
            for _ in range(200):
                f = -e * _lse((g[:, None, :] - C) / e[..., None] + np.log(b)[:, None])
                up = np.swapaxes((f[:, :, None] - C) / e[..., None], 1, 2)
                g = -e * _lse(up + np.log(a)[:, None])
        shift = (f.sum(axis=1) - g.sum(axis=1))[:, None] / (2 * M)
        f, g = f - shift, g + shift
        good = np.isfinite(f).all(axis=1) & np.isfinite(g).all(axis=1)
        f, g = (np.where(good[:, None], v, 0) for v in (f, g))
        return batch | {"best_f": f, "best_g": g}

    def points(self, rng, batch, dtype):
        """Around the potentials, zero, and anywhere."""
        best = np.concatenate([batch["best_f"], batch["best_g"]], axis=1)
        x = draw.points(rng, best, np.zeros_like(best), dtype)
        return x[..., :M], x[..., M:]

    def _dual(self, one, f, g):
        """a.f + b.g - eps (sum P - sum a sum b), to be maximised."""
        C, a, b, e = decs(one["C"]), decs(one["a"]), decs(one["b"]), dec(one["eps"])
        total = ZERO
        for i in range(M):
            for j in range(M):
                total += a[i] * b[j] * exp((f[i] + g[j] - C[i][j]) / e)
        mass = sum(a, ZERO) * sum(b, ZERO)
        return dot(a, f) + dot(b, g) - e * (total - mass)

    def truth(self, one, x):
        """The dual at the best potentials less that at these; the marginals."""
        f, g = decs(x[0]), decs(x[1])
        C, a, b, e = decs(one["C"]), decs(one["a"]), decs(one["b"]), dec(one["eps"])
        best_f, best_g = decs(one["best_f"]), decs(one["best_g"])
        P = [[a[i] * b[j] * exp((f[i] + g[j] - C[i][j]) / e) for j in range(M)]
             for i in range(M)]  # fmt: skip
        rows = sum((abs(sum(P[i], ZERO) - a[i]) for i in range(M)), ZERO)
        columns = sum((abs(sum((r[j] for r in P), ZERO) - b[j])
                       for j in range(M)), ZERO)  # fmt: skip
        if self.check == "transport":
            gap = self._dual(one, best_f, best_g) - self._dual(one, f, g)
        else:
            gap = self._exact(one, best_f) - self._exact(one, f)
        return {"gap": gap, "rows": rows, "columns": columns}

    def _exact(self, one, f):
        """a.f + b.f^c, a lower bound of the cheapest plan for every f."""
        C, a, b = decs(one["C"]), decs(one["a"]), decs(one["b"])
        back = [min(C[i][j] - f[i] for i in range(M)) for j in range(M)]
        return dot(a, f) + dot(b, back)

    def scale(self, one):
        """Of the marginals: the mass. The gap's is left to the check."""
        mass = sum(decs(one["a"]), ZERO)
        return {"rows": mass, "columns": mass}


def _lse(v):
    top = v.max(axis=2)
    return top + np.log(np.exp(v - top[..., None]).sum(axis=2))


def kinds() -> list[Any]:
    """Both objectives."""
    return [
        Transport("transport", "transport",
                  "dual(best) - dual(x), best by Sinkhorn in 80 bits", True),
        Transport("transport_exact", "transport_exact",
                  "the same of the unregularised dual", False),
    ]  # fmt: skip
