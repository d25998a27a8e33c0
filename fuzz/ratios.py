"""Regularised least squares over the largest entries: what one coordinate gains."""

from decimal import Decimal
from typing import Any, ClassVar

import numpy as np

from fuzz import draw
from fuzz.exact import ZERO, dec, decs, dot, matvec, sub, transposed
from fuzz.kind import Kind, show

P, K = 3, 2


class Ratio(Kind):
    """(1/2 ||A x - b||^2 + lam ||x||_1) / ||x||_(2), in any units."""

    name: ClassVar[str] = "ratio"
    check: ClassVar[str] = "coordinate_gap"
    truth_is: ClassVar[str] = "the gain at every corner and root, exact"
    shape: ClassVar[str] = "4, 3"
    roundable: ClassVar[tuple[str, ...]] = ("A", "b", "lam")

    def draw(self, rng, dtype, count):
        """Units of x and of b of any size; lam from 1e-3 to 1 of the largest |A'b|."""
        far = 4 if np.dtype(dtype) == np.float32 else 40
        p, q = rng.uniform(-far, far, (2, count)) * (rng.random(count) < 0.7)
        A = draw.power(q - p)[:, None, None] * rng.normal(size=(count, 4, P))
        b = draw.power(q)[:, None] * rng.normal(size=(count, 4))
        most = np.abs(np.einsum("cij,ci->cj", A, b)).max(axis=1)
        return {
            "A": draw.cast(A, dtype),
            "b": draw.cast(b, dtype),
            "lam": draw.positive(most * draw.power(rng.uniform(-3, 0, count)), dtype),
        }

    def problem(self, one):
        """From its own start."""
        import banach as bn

        return bn.Fractional(one["A"], one["b"], one["lam"], K)

    def code(self, one):
        """The same as source."""
        return f"bn.Fractional({', '.join(show(one[k]) for k in ('A', 'b', 'lam'))}, 2)"

    def solve(self, batch):
        """No solution is known; the default method finds its own."""
        return batch

    def points(self, rng, batch, dtype):
        """Least squares, beside it, with zeros, of one entry, and far away."""
        A, b = (np.asarray(batch[k], float) for k in ("A", "b"))
        best = np.einsum("cji,cj->ci", np.linalg.pinv(A).transpose(0, 2, 1), b)
        away = 10.0 ** rng.uniform(-9, 3, best.shape) * rng.normal(size=best.shape)
        near = best * (1 + 10.0 ** rng.uniform(-16, 0, best.shape))
        one = best * [0, 1, 0]
        tie = best[:, [0, 0, 1]]
        every = [best, near, best * [1, 1, 0], one, tie, best * away]
        return draw.cast(np.stack(every, 1), dtype)

    def _value(self, one, x) -> Decimal | None:
        """F, exactly; None at 0."""
        r = sub(matvec(decs(one["A"]), x), decs(one["b"]))
        size = sorted(map(abs, x))
        if not size[-1]:
            return None
        return (dot(r, r) / 2 + dec(one["lam"]) * sum(size)) / sum(size[-K:])

    def truth(self, one, x):
        """The best of the candidates found in floats; any is a lower bound."""
        x = decs(x)
        F, gain = self._value(one, x), ZERO
        if F is None:
            return [None]
        for j, t in candidates(one, np.array(x, float)):
            G = self._value(one, [*x[:j], dec(t), *x[j + 1 :]])
            gain = gain if G is None else max(gain, F - G)
        return [gain]

    def scale(self, one):
        """max |A'b|."""
        return [max(map(abs, matvec(transposed(decs(one["A"])), decs(one["b"]))))]


@np.errstate(all="ignore")
def candidates(one: Any, x: np.ndarray) -> list[tuple[int, float]]:
    """(coordinate, value) where a line through x may be least."""
    A, b, lam = (np.asarray(one[k], float) for k in ("A", "b", "lam"))
    found = []
    for j in range(P):
        rest = b - A @ x + A[:, j] * x[j]
        bend, pull = A[:, j] @ A[:, j], A[:, j] @ rest
        others = np.sort(np.abs(np.delete(x, j)))
        base = rest @ rest / 2 + lam * others.sum()
        S = others[-(K - 1) :].sum()
        for s in (-1, 1):
            p = lam - s * pull
            found += [(j, s * -p / bend), (j, s * others[0]), (j, s * others[1])]
            N = bend / 2 * S**2 - p * S + base
            found.append((j, s * (np.sqrt(2 * max(N, 0) / bend) - S)))
    return [(j, float(t)) for j, t in [*found, (0, 0.0)] if np.isfinite(t)]


def kinds() -> list[Any]:
    """The one kind."""
    return [Ratio()]
