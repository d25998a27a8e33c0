"""The Frank-Wolfe gap over a compact set."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import common
from banach.checks.convexity import midpoint_calls, midpoint_part
from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.term import gam


class FrankWolfeGap(Check):
    """max_{v in C} <grad f(x), x - v>, an upper bound of f(x) - f* for convex f.

    Summed over the vertices in a form that does not cancel. A point outside C is
    projected first, and that point is returned; what is left outside is charged
    with ||grad f||. For nonconvex f the same number is a residual. The scale is the
    gap at the centre of C.
    """

    name: ClassVar[str] = "frank_wolfe"

    screen: Any = None
    scale: Any = None
    base: Any = 0.0

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The gap at x, or at its projection if x is outside."""
        ready = self if self.scale is not None else self.prepared(problem)
        inside = Point(_repaired(problem, point.x))
        value, slack, label = _gap(problem, inside, ready)
        convex = problem.facts().has("convex")
        certificate = single(
            "f(x)-f*" if convex else "max <grad f(x),x-v>",
            value,
            slack,
            ready.scale,
            grade="bound" if convex else "residual",
            assumes=(common.declared(problem, "convex") if convex else ())
            + common.believed("gradient", label),
            rounding=label,
            look=look,
        )
        if convex:
            passes = common.below(self.screen, value, ready.scale)
            parts = certificate.parts + midpoint_part(problem, inside, key, passes)
            certificate = eqx.tree_at(lambda c: c.parts, certificate, parts)
        return certificate, inside

    def prepared(self, problem: Problem) -> "FrankWolfeGap":
        """With the gap at the centre of C."""
        one = jnp.ones((), common.judged_dtype(problem))
        centre = Point(problem.term.center(problem.start().x))
        value, slack, _ = _gap(problem, centre, FrankWolfeGap(None, one))
        scale = common.usable(value, slack)
        return FrankWolfeGap(self.screen, scale, slack / scale)

    def floor(self) -> Any:
        """Slack at the centre over the scale."""
        return self.base

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value, gradient and LMO; without a screen also the convexity test."""
        calls = {"value": 1, "grad": 1, "lmo": 1}
        if self.screen is not None:
            return calls
        extra = midpoint_calls(problem)
        return {**extra, **calls, "grad": 1 + extra.get("grad", 0)}

    def refuses(self, problem: Problem) -> str | None:
        """Sets without an LMO."""
        if "lmo" not in problem.oracles():
            return (
                f"{self.name} needs a compact set with the oracle lmo, which this "
                f"{problem.kind} lacks; use check='{problem.default_check()}'"
            )
        return None


def _repaired(problem: Problem, x: Any) -> Any:
    if "project" not in problem.oracles():
        return x
    size, dtype = problem.size(), tree.dtype(x)
    allowed = gam(size + 8, dtype) * (tree.norm(x) + 1)
    outside = problem.term.violation(x) > allowed
    return tree.where(outside, problem.project(x), x)


def _gap(problem: Problem, point: Point, ready: FrankWolfeGap):
    judged, at = common.lift(problem, point)
    x, term = at.x, judged.term
    size = problem.size()
    label = common.provenance(judged.grad, x)

    def bracket(g, error):
        norm = tree.norm(g)
        if "conjugate" in term.offers():
            value, slack = term.fenchel_young(x, tree.neg(g), error)
        else:
            d = tree.sub(x, judged.lmo(g))
            value = tree.vdot(g, d)
            far = tree.norm(d)
            slack = 1.01 * tree.norm(error) * far
            slack = slack + gam(size + 6, value.dtype) * norm * (far + tree.norm(x))
        slack = slack + 1.01 * term.violation(x) * (norm + tree.norm(error))
        return value, slack

    def full():
        g = common.judge(judged.grad, x)
        return bracket(g.value, g.error)

    if ready.screen is None:
        value, slack = full()
        return common.where_defined(judged, x, value), slack, label
    g = judged.grad(x)
    cheap, _ = bracket(g, tree.zeros_like(g))
    passes = common.below(ready.screen, cheap, ready.scale)
    value, slack = common.screened(passes, lambda: (cheap, abs(cheap) / 2), full)
    return common.where_defined(judged, x, value), slack, label
