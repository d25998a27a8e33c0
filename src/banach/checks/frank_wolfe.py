"""The Frank-Wolfe gap over a compact set."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refusals import refuse_without
from banach.checks.refute_convexity import midpoint_calls, midpoint_part
from banach.checks.scales import Scaled
from banach.core import tree
from banach.core.check import Certificate, extended, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, outside


class FrankWolfeGap(Scaled):
    """max_{v in C} <grad f(x), x - v>, an upper bound of f(x) - f* for convex f.

    Summed over the vertices in a form that does not cancel. A point outside C is
    projected first, and that point is returned; what is left outside is charged
    with ||grad f||. For nonconvex f the same number is a residual. The scale is the
    gap at the centre of C.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Jaggi, Revisiting Frank-Wolfe, ICML (2013), section 2.

    Example:
        >>> near = bn.Composite(
        ...     lambda x: jnp.sum((x - 2.0) ** 2),
        ...     bn.Simplex(),
        ...     np.ones(3) / 3,
        ...     convex=True,
        ... )
        >>> verdict = bn.verify(
        ...     near, np.array([1.0, 1.0, 1.0]) / 3, check=bn.FrankWolfeGap()
        ... )
        >>> print(verdict)
        certified: f(x)-f*, ratio 6.38e-15, tol 1e-06
          ...
    """

    name: ClassVar[str] = "frank_wolfe"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The gap at x, or at its projection if x is outside."""
        inside = Point(_repaired(problem, point.x))
        value, slack, label = _gap(problem, inside, self.screen, self.scale)
        convex = problem.facts().has("convex")
        certificate = single(
            "f(x)-f*" if convex else "max <grad f(x),x-v>",
            value,
            slack,
            self.scale,
            grade="bound" if convex else "residual",
            assumes=(evaluation.declared(problem, "convex") if convex else ())
            + evaluation.believed("gradient", label)
            + evaluation.stopped(problem),
            rounding=label,
            look=look,
        )
        if convex:
            passes = evaluation.below(self.screen, value, self.scale)
            parts = midpoint_part(problem, inside, key, passes)
            certificate = extended(certificate, parts)
        return certificate, inside

    def measured(self, problem: Problem) -> tuple[Array]:
        """The gap at the centre of C."""
        one = jnp.ones((), evaluation.judged_dtype(problem))
        # The centre in the judged dtype: rounded, it may be outside C.
        judged, start = evaluation.lift(problem, problem.start())
        centre = judged.term.center(start.x)
        value, slack, _ = _gap(judged, Point(centre), None, one)
        return (evaluation.usable(value, slack, evaluation.ordinary(judged, centre)),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value, gradient and LMO; without a screen also the convexity test."""
        calls = {"value": 1, "grad": 1, "lmo": 1}
        if self.screen is not None:
            return calls
        extra = midpoint_calls(problem)
        return {**extra, **calls, "grad": 1 + extra.get("grad", 0)}

    def refuses(self, problem: Problem) -> str | None:
        """Sets without an LMO."""
        says = f"{self.name} needs a compact set with the oracle lmo"
        return refuse_without("lmo", problem, says)


def _repaired(problem: Problem, x: Any) -> Any:
    if "project" not in problem.oracles():
        return x
    size, dtype = problem.size(), tree.dtype(x)
    allowed = gam(size + 8, dtype) * (tree.norm(x) + 1)
    off = problem.term.violation(x) > allowed
    return evaluation.fixed(tree.where(off, problem.project(x), x))


def _gap(problem: Problem, point: Point, screen: Any, scale: Array):
    """The gap, its slack and how that is known."""
    judged, at = evaluation.lift(problem, point)
    x, term = at.x, judged.term
    size = problem.size()
    label = evaluation.provenance(judged.grad, x)

    def bracket(g, error):
        norm = tree.norm(g)
        if "conjugate" in term.offers():
            value, slack = term.fenchel_young(x, tree.neg(g), error)
        else:
            d = tree.sub(x, judged.lmo(g))
            value = tree.vdot(g, d)
            far = tree.norm(d)
            wide = far + tree.norm(x)
            slack = 1.01 * (tree.norm(error) * far)
            slack = slack + gam(size + 6, value.dtype) * (norm * wide)
            slack = slack + 4 * size * least(value.dtype) * (1 + norm + wide)
        off = term.violation(x) + 4 * size * least(value.dtype)
        slack = slack + 1.01 * off * (norm + tree.norm(error))
        # Of numbers that are read as 0, or too large to divide by, nothing is known.
        return value, jnp.where(outside([term, g, x]), jnp.inf, slack)

    def full():
        g = evaluation.judge(judged.grad, x)
        return bracket(g.value, g.error)

    def cheap():
        g = judged.grad(x)
        return bracket(g, tree.zeros_like(g))[0]

    value, slack = evaluation.behind(screen, scale, cheap, full, 2)
    return evaluation.where_defined(judged, x, value), slack, label
