"""Fixed points: the residual, and Banach's a posteriori bound of the distance."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.refute_contraction import EVALUATIONS, refute_contraction
from banach.checks.scales import (
    Scaled,
    at_reference,
    held_against,
    screen_scale,
    source,
)
from banach.core import tree
from banach.core.check import Certificate, Part, extended, single
from banach.core.facts import DECLARED
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least

NAME = "contraction at sampled pairs"


class Contraction(Scaled):
    """||x - x*|| <= ||x - T(x)|| / (1 - q), in the norm in which q holds.

    Both are read from the problem: a damped map of a method would shrink the
    residual, and a q that holds in another norm proves nothing. 1 - q is lowered by
    its rounding. The scale is the same bound at the reference, or min(1, that at the
    problem's own x0). A declared q is believed, and refuted where sampled pairs
    contradict it.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Banach, Fundamenta Mathematicae 3 (1922), theorem 6.

    Example:
        >>> half = bn.FixedPoint(lambda x: x / 2 + 1, np.zeros(2), contraction=0.5)
        >>> verdict = bn.verify(
        ...     half, np.array([2.0, 2.000001]), check=bn.Contraction(), tol=1e-5
        ... )
        >>> print(verdict)
        certified: ||x-x*||_2, ratio 1e-06, tol 1e-05
          ...
    """

    name: ClassVar[str] = "contraction"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        judged, at = evaluation.lift(problem, point)
        against = screen_scale(problem, self.scale)
        value, slack, label = _distance(judged, at.x, self.screen, against)
        certificate = single(
            f"||x-x*||_{_suffix(problem)}",
            value,
            slack,
            held_against(problem, value, slack, self.scale, label),
            grade="bound",
            assumes=evaluation.declared(problem, "q")
            + evaluation.believed("map", label),
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        if problem.facts().provenance("q") == DECLARED:
            zero = jnp.zeros_like(value)
            found = evaluation.screened(
                evaluation.below(self.screen, value, against),
                lambda: zero,
                lambda: refute_contraction(judged, at, key),
            )
            part = Part(NAME, found, zero, zero + 1)
            certificate = extended(certificate, (part,))
        return certificate, Point(point.x)

    def measured(self, problem: Problem) -> tuple[Array]:
        """The bound at the reference, or min(1, that at x0)."""
        return (
            at_reference(
                problem,
                lambda T, x: _distance(T, x, None, 1),
                lambda T, x: _moved(T, x) / _left(T, x)[1],
            ),
        )

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One map; where a screen passes, one more and the sampled pairs."""
        sampled = problem.facts().provenance("q") == DECLARED and self.screen is None
        return {"map": 1 + EVALUATIONS * sampled}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without a map, and maps that are not known to contract."""
        no = _no_map(problem, self.name)
        if no is None and problem.facts().get("q") is None:
            return (
                f"{self.name} needs a contraction factor q < 1, which this "
                f"{problem.kind} does not declare; pass contraction=q with its norm, "
                "or use check='fixed_point'"
            )
        return no


class FixedPointResidual(Scaled):
    """||x - T(x)|| in the problem's norm, relative to its value at the reference.

    Without a reference it is held against min(1, its value at x0).

    A residual: for a map that is only nonexpansive nothing follows for the distance
    to a fixed point, nor that there is one.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Bauschke and Combettes, Convex Analysis and Monotone Operator Theory in
    Hilbert Spaces (2017), chapter 5.

    Example:
        >>> turn = bn.FixedPoint(lambda x: -x[::-1], np.ones(2), nonexpansive=True)
        >>> verdict = bn.verify(
        ...     turn, np.array([1.0, -1.0]), check=bn.FixedPointResidual()
        ... )
        >>> print(verdict)
        certified: ||x-T(x)||_2, ratio 4.45e-308, tol 1e-06
          ...
    """

    name: ClassVar[str] = "fixed_point"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The residual at the point itself."""
        judged, at = evaluation.lift(problem, point)
        against = screen_scale(problem, self.scale)
        value, slack, label = _residual(judged, at.x, self.screen, against)
        certificate = single(
            f"||x-T(x)||_{_suffix(problem)}",
            value,
            slack,
            held_against(problem, value, slack, self.scale, label),
            grade="residual",
            assumes=evaluation.believed("map", label),
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        return certificate, Point(point.x)

    def measured(self, problem: Problem) -> tuple[Array]:
        """The residual at the reference, or min(1, that at x0)."""
        return (
            at_reference(
                problem,
                lambda T, x: _residual(T, x, None, 1),
                _moved,
            ),
        )

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One map; where a screen passes, one more."""
        return {"map": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without a map."""
        return _no_map(problem, self.name)


def _residual(problem: Problem, x: PyTree, screen: Any, scale: Any):
    """||x - T(x)||, its slack, and how that is known."""

    def move(v):
        return problem.weighted(tree.sub(v, problem.map(v)))

    def full():
        r = evaluation.judge(move, x)
        value = _norm(problem, r.value)
        return value, norm_slack(problem, value, r.error)

    def cheap():
        return _norm(problem, move(x))

    value, slack = evaluation.behind(screen, scale, cheap, full, 8)
    return value, slack, evaluation.provenance(move, x)


def _moved(problem: Problem, x: PyTree) -> Array:
    """||x - T(x)||."""
    return _norm(problem, problem.weighted(tree.sub(x, problem.map(x))))


def _left(problem: Problem, x: PyTree) -> tuple[Array, Array]:
    """1 - q lowered by its rounding, and 1 in its place where that is not positive."""
    dtype = tree.dtype(x)
    left = (1 - jnp.asarray(problem.facts().get("q"), dtype)) - 4 * jnp.finfo(dtype).eps
    return left, jnp.where(left > 0, left, 1)


def _distance(problem: Problem, x: PyTree, screen: Any, scale: Any):
    dtype = tree.dtype(x)
    # No bound follows where q is 1 to rounding; the value is then infinite.
    left, safe = _left(problem, x)
    norm, e, label = _residual(problem, x, screen, scale * safe)
    value = jnp.where(left > 0, norm / safe, jnp.inf)
    slack = 1.01 * e / safe + gam(4, dtype) * (norm / safe) + 4 * least(dtype)
    return value, slack, label


def norm_slack(problem: Problem, value: Array, error: PyTree) -> Array:
    """Slack of the problem's norm of entries whose errors are at most `error`."""
    if problem.norm == "2":
        return evaluation.norm_slack(value, error, problem.size())
    tiny = float(jnp.finfo(value.dtype).tiny)
    return 1.01 * tree.max_abs(error) + gam(4, value.dtype) * value + tiny


def _norm(problem: Problem, v: PyTree) -> Array:
    """The norm of weighted entries; NaN where an entry is."""
    size = tree.norm(v) if problem.norm == "2" else tree.max_abs(v)
    return jnp.where(tree.all_finite(v), size, jnp.nan)


def _suffix(problem: Problem) -> str:
    return problem.norm + ("" if problem.weights is None else ",w")


def _no_map(problem: Problem, name: str) -> str | None:
    fits = "map" in problem.oracles()
    return refuse_unless(fits, problem, f"{name} judges fixed points x = T(x)")
