"""A target for the objective."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import common
from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem


class Goal(Check):
    """f(x) <= target, f the whole objective; a signed quantity, no optimality.

    The value is f(x) - target. tol has no say: the scale is one rounding unit of the
    target, so that the goal is reached only when f(x) + slack <= target.
    """

    name: ClassVar[str] = "goal"

    target: Any

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """f(x) against the target; membership of x in the set is charged."""
        judged, at = common.lift(problem, point)
        f = common.judge(judged.objective, at.x)
        dtype = f.value.dtype
        target = jnp.asarray(self.target, dtype)
        eps, tiny = jnp.finfo(dtype).eps, jnp.finfo(dtype).tiny
        value = f.value - target
        slack = 1.01 * f.error + eps * jnp.abs(value)
        # An infeasible point may lie below every feasible value.
        if judged.essential():
            outside = judged.term.violation(at.x)
            allowed = 100 * eps * problem.size() * (1 + tree.norm(at.x))
            slack = jnp.where(outside <= allowed, slack, jnp.inf)
        certificate = single(
            "f(x) (goal)",
            value,
            slack,
            eps * jnp.maximum(jnp.abs(target), jnp.sqrt(tiny)),
            grade="bound",
            assumes=common.believed("objective", f.rounding),
            rounding=f.rounding,
            signed=True,
            look=look,
        )
        return certificate, Point(point.x)

    def refuses(self, problem: Problem) -> str | None:
        """Constraints that no term states: nothing here measures their violation."""
        if not problem.essential() or hasattr(problem, "term"):
            return None
        return (
            f"{self.name} cannot tell whether a point of this {problem.kind} is "
            "feasible, and an infeasible one may lie below the target; use "
            f"check='{problem.default_check()}'"
        )

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One objective."""
        return {"value": 1}
