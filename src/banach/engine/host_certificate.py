"""The numbers of one certificate as plain floats: what a run decides by, on the host.

The rules are `Certificate`'s own (`core/check.py`), for float64; a test holds the two
against each other. A look's bookkeeping costs 0.8 ms with modules, 10 us with floats.
"""

import math
from typing import Any, NamedTuple

import jax

from banach.core.check import Certificate


class Numbers(NamedTuple):
    """Value, slack and scale of each part, and the target of a signed quantity."""

    parts: tuple[tuple[float, float, float], ...]
    goal: float
    signed: bool
    rounded: bool  # whether its slack is rounding

    def ratio(self) -> float:
        """`Certificate.ratio`."""
        return max(self._ratio(*p) for p in self.parts)

    def _ratio(self, value: float, slack: float, scale: float) -> float:
        if not _valid(value, slack, scale):
            return math.inf
        value = value - self.goal if self.signed else max(value, 0.0)
        return (value + slack) / scale

    def value_ratio(self) -> float:
        """`Certificate.value_ratio`."""
        return max(self._ratio(v, s * 0, c) for v, s, c in self.parts)

    def value(self) -> float:
        """`Certificate.value`: that of the worst part, the first of several."""
        ratios = [self._ratio(*p) for p in self.parts]
        return self.parts[ratios.index(max(ratios))][0]

    def nan(self) -> bool:
        """Whether a value is none."""
        return any(math.isnan(v) for v, _, _ in self.parts)

    def refuted(self) -> bool:
        """`Certificate.refuted`."""
        return not self.signed and any(
            math.isfinite(v) and math.isfinite(s) and v < -s for v, s, _ in self.parts
        )

    def within(self, tol: float) -> bool:
        """`Certificate.within`."""
        return all(self._within(*p, tol) for p in self.parts)

    def _within(self, value: float, slack: float, scale: float, tol: float) -> bool:
        if not _valid(value, slack, scale):
            return False
        if self.signed:
            total = value + slack
            up = math.nextafter(total, math.inf)
            met = up < self.goal or (slack == 0 and total <= self.goal)
            return met and tol > 0
        if not value >= -slack:
            return False
        total = max(value, 0.0) + slack
        limit = tol * scale
        up, down = math.nextafter(total, math.inf), math.nextafter(limit, -math.inf)
        return up <= down or (slack == 0 and total <= 0 and limit >= 0)

    def blurred(self, tol: float) -> bool:
        """`Certificate.blurred`."""
        return (
            not self.signed
            and self.rounded
            and any(v <= s and s > tol * c / 2 for v, s, c in self.parts)
        )


class Layout:
    """Where the numbers of a certificate lie among its leaves."""

    def __init__(self, treedef: Any):
        said: Certificate = jax.tree.unflatten(treedef, range(treedef.num_leaves))
        self.treedef = treedef
        self.signed, self.rounded = said.signed, said.grade != "statistical"
        self.target, self.look = said.target, said.look
        self.parts: Any = [(p.value, p.slack, p.scale) for p in said.parts]

    def numbers(self, leaves: list[Any]) -> Numbers:
        """The numbers of a certificate of these leaves."""
        parts = tuple(
            (float(leaves[v]), float(leaves[s]), float(leaves[c]))
            for v, s, c in self.parts
        )
        goal = 0.0 if self.target is None else float(leaves[self.target])
        return Numbers(parts, goal, self.signed, self.rounded)


def _valid(value: float, slack: float, scale: float) -> bool:
    finite = math.isfinite(value) and math.isfinite(slack) and math.isfinite(scale)
    return finite and slack >= 0 and scale > 0
