"""Entropic transport seen as the fixed point of Sinkhorn's sweep."""

from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Array

from banach.core.facts import CONSTRUCTION, Facts
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.view import Costs, View, Way, way
from banach.kinds import view_bases
from banach.kinds.smooth import views as smooth
from banach.parts.transport_newton import centred


class SinkhornMap(View):
    """g = T(g), a sweep: the best f for g, then the best g for it.

    T is monotone and commutes with constants, so that it is nonexpansive in the
    maximum norm (Crandall and Tartar 1980).
    """

    name: ClassVar[str] = "sinkhorn_map"

    def there(self, problem: Problem) -> "SweepFixedPoint":
        """The fixed point."""
        return SweepFixedPoint(problem)

    def to(self, point: Point, problem: Problem) -> Point:
        """g."""
        return Point(point.x[1])

    def back(self, point: Point, problem: Problem | None = None) -> Point:
        """The best f for g, and g, in the problem's gauge."""
        assert problem is not None
        f = problem.transform(point.x, 0)
        return Point(centred((f, point.x)))

    def alone(self) -> bool:
        """f asks for a transform."""
        return False

    def costs(self) -> Costs:
        """A sweep is two transforms."""
        return {"map": {"transform": 2}}

    def leaving(self) -> Mapping[str, int]:
        """A transform."""
        return {"transform": 1}

    def fits(self, problem: Problem) -> bool:
        """The transforms."""
        return "transform" in problem.oracles()

    def text(self) -> str:
        """Whose fixed point is sought."""
        return "the fixed point of Sinkhorn's sweep"


class SweepFixedPoint(view_bases.AsFixedPoint):
    """T of `SinkhornMap`."""

    norm: ClassVar[str] = "inf"

    def space(self) -> Any:
        """That of g."""
        return self.base.space()[1]

    def start(self) -> Point:
        """The base's g."""
        return Point(self.base.start().x[1])

    def map(self, x: Array) -> Array:
        """A sweep."""
        f = self.base.transform(x, 0)
        return self.base.transform(f, 1)

    def facts(self) -> Facts:
        """Nonexpansive in the maximum norm."""
        return Facts({"nonexpansive": CONSTRUCTION})

    def views(self) -> tuple[Way, ...]:
        """None: the fixed points are a line, on which a Jacobian is singular."""
        why = "the fixed points of a sweep are a line, where its Jacobian is singular"
        return (Way("root_of_map", "Root", None, why),)


def of(problem: Problem) -> tuple[Way, ...]:
    """The views of transport: the sweep, then those of its smooth dual."""
    return (way(SinkhornMap, "FixedPoint", problem), *smooth.of(problem))
