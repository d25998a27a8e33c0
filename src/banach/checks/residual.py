"""The residual of a system of equations."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import common
from banach.checks.frame import refuse_unless
from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.term import least


class Residual(Check):
    """||F(x) / scale||_2, recomputed from F; scale is declared with the problem.

    A residual: x^2 + 1e-20 is small at 0 and has no root. The stronger statement is
    check="enclosure".
    """

    name: ClassVar[str] = "residual"

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The norm of the residual at the point itself."""
        judged, at = common.lift(problem, point)
        F = common.judge(judged.residual, at.x)
        value, error = F.value, F.error
        units = judged.scale
        if units is not None:
            # 1 / units may vanish, where one unit divides many values.
            lost = [4 * least(v.dtype) * abs(v) for v in jax.tree.leaves(value)]
            value, error = _over(value, units), _over(error, units)
            error = tree.add(error, lost)
        norm = tree.norm(value)
        certificate = single(
            "||F(x)||_2",
            norm,
            common.norm_slack(norm, error, problem.size()),
            jnp.ones_like(norm),
            grade="residual",
            assumes=common.believed("residual", F.rounding),
            rounding=F.rounding,
            look=look,
        )
        return certificate, Point(point.x)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One residual."""
        return {"residual": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are not a system of equations."""
        fits = problem.kind == "Root"
        return refuse_unless(fits, problem, f"{self.name} judges systems F(x) = 0")


def _over(x: PyTree, units: PyTree) -> PyTree:
    leaves = zip(jax.tree.leaves(x), jax.tree.leaves(units), strict=True)
    return [p / q for p, q in leaves]
