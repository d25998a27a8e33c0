"""First-order stationarity: the norm of the gradient."""

from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Array

from banach.checks import common
from banach.checks.frame import Floored, at_reference
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem


class Stationarity(Floored):
    """||grad f(x)||_2, relative to its value at the reference point, else absolute.

    A residual: nothing is said of f(x) - f* or of ||x - x*||; on a flat tail it is
    small far from every minimiser. `screen` is the ratio above which the running
    error pass is skipped.
    """

    name: ClassVar[str] = "stationarity"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The norm of the gradient at the point itself."""
        judged, at = common.lift(problem, point)
        value, slack, label = common.grad_norm(judged, at.x, self.screen, self.scale)
        certificate = single(
            "||grad f(x)||_2",
            common.where_defined(judged, at.x, value),
            slack,
            self.scale,
            grade="residual",
            assumes=common.believed("gradient", label) + common.stopped(problem),
            rounding=label,
            look=look,
        )
        return certificate, Point(point.x, None)

    def measured(self, problem: Problem) -> tuple[Array, Array]:
        """The gradient norm at the reference."""
        return gradient_scale(problem)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value and gradient; where a screen passes, one gradient more."""
        return {"value": 1, "grad": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Terms and sets: the gradient of the smooth part is not zero at solutions."""
        return no_term(problem, self.name)


def gradient_scale(problem: Problem) -> tuple[Array, Array]:
    """||grad f|| at the reference or 1, and slack over scale there."""
    return at_reference(problem, lambda f, x: common.grad_norm(f, x, None, None))


def no_term(problem: Problem, name: str) -> str | None:
    """The refusal of a check that reads the gradient of f alone."""
    if "grad" not in problem.oracles():
        return f"{name} needs the oracle grad, which {problem.kind} lacks"
    if problem.essential():
        return (
            f"{name} reads the gradient of the smooth part, which is not zero at a "
            f"solution of this {problem.kind}; use check='{problem.default_check()}'"
        )
    return None
