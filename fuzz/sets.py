"""Regressions over sets judged by the Frank-Wolfe gap, and by proximal steps."""

from typing import Any, ClassVar

import numpy as np

from fuzz.exact import ONE, ZERO, dec, decs, dot
from fuzz.glm import Glm


def slope(one: Any, c: list[Any]) -> list[Any]:
    """The exact gradient of sum w (a'c - y)^2 / 2."""
    rows, w, y = decs(one["A"]), decs(one["w"]), [dec(v) for v in one["y"]]
    r = [wi * (dot(row, c) - yi) for row, wi, yi in zip(rows, w, y, strict=True)]
    return [dot([row[j] for row in rows], r) for j in range(len(c))]


def slope_size(one: Any, c: list[Any]) -> list[Any]:
    """The sum of the absolute terms of each entry of `slope`."""
    sized = {k: abs(one[k]) for k in ("A", "w")} | {"y": -abs(one["y"])}
    return slope(sized, [abs(v) for v in c])


class FrankWolfe(Glm):
    """f(x) - f* over a compact set, by max <g, x - v>."""

    check: ClassVar[str] = "frank_wolfe"
    solves: ClassVar[bool] = False

    def scale(self, one):
        """The gap at the centre."""
        if self.term == "simplex":
            # p times the gradient at r / p: no division, so that 0 stays 0.
            p, r = self.p, dec(one["radius"])
            many = one | {"y": [p * v for v in decs(one["y"])]}
            g = slope(many, [r] * p)
            return [r * (sum(g, ZERO) - p * min(g)) / p**2]
        one_of = {k: [one[k]] for k in self.numbers}
        c = decs(self._centre(one_of)[0])
        g = slope(one, c)
        sides = zip(g, c, decs(one["lower"]), decs(one["upper"]), strict=True)
        return [sum((max(a * (m - lo), a * (m - up)) for a, m, lo, up in sides), ZERO)]

    def companion(self, one):
        """Terms of the gradient at the centre, over the width of the set."""
        one_of = {k: np.asarray([one[k]]) for k in self.numbers}
        g = slope_size(one, decs(self._centre(one_of)[0]))
        if self.term == "simplex":
            return [dec(one["radius"]) * max(g)]
        sides = zip(g, decs(one["lower"]), decs(one["upper"]), strict=True)
        return [sum((a * (up - lo) for a, lo, up in sides), ZERO)]


class Step(Glm):
    """dist(0, dF(x+)) after one proximal step, by components over |A|' w |y|."""

    check: ClassVar[str] = "step"
    truth_is: ClassVar[str] = "dist(0, g(x+) + subgradients), exact"
    solves: ClassVar[bool] = False

    def truth(self, one, x):
        """Coordinate by coordinate, at the point that came back."""
        c = decs(x)
        far = [abs(self._least(one, a, v))
               for a, v in zip(slope(one, c), c, strict=True)]  # fmt: skip
        size = self._sizes(one)
        return [
            max((d / k for d, k in zip(far, size, strict=True) if k), default=ZERO),
            max((d for d, k in zip(far, size, strict=True) if not k), default=ZERO),
        ]

    def _sizes(self, one):
        """|A|' w |y|: the terms of the gradient at zero."""
        A, w, y = decs(one["A"]), decs(one["w"]), decs(one["y"])
        return [
            sum((abs(r[j] * a * b) for r, a, b in zip(A, w, y, strict=True)), ZERO)
            for j in range(self.p)
        ]

    def _least(self, one, g, c):
        if self.term == "nonneg":
            return g if c > 0 else min(g, ZERO)
        lam = dec(one["l1"])
        if c == 0:
            return max(abs(g) - lam, ZERO)
        return g + lam if c > 0 else g - lam

    def scale(self, one):
        """One: the components are relative already."""
        return [ONE, ONE]


class Still(Step):
    """grad F(x) of a ridge regression, by components over |A|' w |y|."""

    check: ClassVar[str] = "stationarity"
    truth_is: ClassVar[str] = "the gradient by components, exact"

    def _least(self, one, g, c):
        return g + dec(one["l2"]) * c


def kinds() -> list[Any]:
    """Frank-Wolfe gaps and proximal steps."""
    return [
        FrankWolfe("frank_wolfe_box", "squares", "box"),
        FrankWolfe("frank_wolfe_simplex", "squares", "simplex"),
        Step("step_l1", "squares", "l1"),
        Step("step_nonnegative", "squares", "nonneg"),
        Still("ridge_stationarity", "squares", "l2"),
    ]
