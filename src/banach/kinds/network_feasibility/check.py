"""The largest shortfall of a margin, by a forward evaluation of every example."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import least


class MarginShortfall(Check):
    """max_ik (margin - z_y(x_i) + z_k(x_i))_+, relative to the margin; a bound.

    Zero exactly where every training example has its margin. A ratio below 1 already
    means that every one is classified as its label says. Nothing is said of others.

    Source: the definition of a margin over classes, Crammer and Singer, J. Machine
    Learning Research 2 (2001); stated so here.

    Example:
        >>> W = (np.array([[1.0, 0.0], [-1.0, 0.0]]),)
        >>> line = bn.NetworkFeasibility(np.array([[2.0], [-1.0]]), [0, 1], W)
        >>> bn.verify(line, W, check=bn.MarginShortfall()).certified
        True
    """

    name: ClassVar[str] = "margin_shortfall"

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The worst example and class."""
        judged, at = evaluation.lift(problem, Point(point.x))
        short = evaluation.judge(judged.shortfalls, at.x)
        value = jnp.max(short.value)
        slack = jnp.max(short.value + short.error) - value
        certificate = single(
            "largest shortfall of a margin",
            value,
            slack + 4 * jnp.finfo(value.dtype).eps * value + least(value.dtype),
            jnp.asarray(judged.margin, value.dtype),
            grade="bound",
            assumes=evaluation.believed("network", short.rounding),
            rounding=short.rounding,
            look=look,
            scale_from="data",
        )
        return certificate, Point(point.x)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One forward evaluation."""
        return {"value": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are not a network with margins."""
        fits = problem.kind == "NetworkFeasibility"
        return refuse_unless(fits, problem, f"{self.name} judges bn.NetworkFeasibility")
