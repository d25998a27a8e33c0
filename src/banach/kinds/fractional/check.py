"""What changing one coordinate may still gain."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.scales import Scaled
from banach.core import tree
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.kinds.fractional import line

QUANTITY = "max_j F(x)-min_t F(x+t e_j)"


class CoordinateGap(Scaled):
    """The most that any change of one coordinate of x can lower the ratio F.

    Each coordinate's global minimum is taken, by a closed form, from the problem as
    it was stated. A point where it is 0 is coordinate-wise stationary: stronger than
    critical (a change of any size is looked at), and not a global minimum; nothing is
    said of F(x) - F*, nor of moves of two coordinates at once. Hence a residual.

    The scale is max |A'b|, which is in the unit of F whatever the units of x and b.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Yuan, Coordinate Descent Methods for Fractional Minimization, ICML (2023).

    Example:
        >>> ratio = bn.Fractional(np.eye(2), np.array([3.0, 1.0]), 1.0, 1)
        >>> verdict = bn.verify(bn.solve(ratio), check=bn.CoordinateGap())
        >>> verdict.certified, verdict.certificate.grade
        (True, 'residual')
    """

    name: ClassVar[str] = "coordinate_gap"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The gain at the point itself."""
        judged, at = evaluation.lift(problem, point)

        def gain(x: Array) -> Array:
            r = judged.residual(x)
            F = judged.numerator(x, r) / judged.denominator(x)
            return F - jnp.min(line.least(judged.lines(x, r), None)[1])

        def full() -> tuple[Array, Array]:
            seen = evaluation.judge(gain, at.x)
            return seen.value, 1.01 * seen.error

        label = evaluation.provenance(gain, at.x)
        value, slack = evaluation.behind(
            self.screen, self.scale, lambda: gain(at.x), full, 2
        )
        certificate = single(
            QUANTITY,
            evaluation.where_defined(judged, at.x, value),
            slack,
            self.scale,
            grade="residual",
            assumes=evaluation.believed("ratio", label),
            rounding=label,
            look=look,
            scale_from="data",
        )
        return certificate, Point(point.x)

    def measured(self, problem: Problem) -> tuple[Array]:
        """max |A'b|."""
        judged, _ = evaluation.lift(problem, problem.start())

        def size(b: Array) -> Array:
            return jnp.max(jnp.abs(jnp.matmul(judged.A.T, b, precision=tree.PRECISION)))

        seen = evaluation.judge(size, judged.b)
        plain = evaluation.ordinary(judged)
        return (evaluation.usable(seen.value, seen.error, plain),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """A value and a residual, and every coordinate."""
        return {"value": 1, "residual": 1, "coordinate": problem.size()}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are no ratio."""
        fits = "coordinate" in problem.oracles()
        return refuse_unless(fits, problem, f"{self.name} judges ratios")
