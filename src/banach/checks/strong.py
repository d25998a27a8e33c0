"""Bounds from the gradient alone: strongly convex functions, and bounded solutions."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refute_convexity import midpoint_calls, midpoint_part
from banach.checks.scales import (
    Scaled,
    at_most_one,
    at_reference,
    held_against,
    screen_scale,
    source,
)
from banach.checks.stationarity import no_term
from banach.core import tree
from banach.core.check import Certificate, extended, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least


class StrongGap(Scaled):
    """f(x) - f* <= ||grad f(x)||^2 / (2 mu).

    The scale is the decrease that a quadratic model promises at the reference,
    ||g||^4 / (2 <g, H g>): it never sees a constant added to f; without a reference
    min(1, that at x0). mu is believed as
    declared, and refuted where sampled midpoints contradict it.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), theorem
    2.1.10.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2), mu=2.0)
        >>> verdict = bn.verify(
        ...     bowl, np.array([1.0, 1.000001]), check=bn.StrongGap()
        ... )
        >>> print(verdict)
        certified: f(x)-f*, ratio 1e-12, tol 1e-06
          ...
    """

    name: ClassVar[str] = "strong_gap"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        judged, at = evaluation.lift(problem, point)
        dtype = evaluation.judged_dtype(problem)
        mu = evaluation.rounded_down(problem.facts().mu, dtype)
        screen = None
        if self.screen is not None:
            # (g^2 / (2 mu) <= screen * scale) in terms of g, for the shared screen.
            root = jnp.sqrt(mu) * math.sqrt(2.0)
            against = screen_scale(problem, self.scale)
            screen = root * jnp.sqrt(self.screen * against)
        norm, e, label = evaluation.grad_norm(judged, at.x, screen, 1)
        value, slack = evaluation.half_square(norm, e, mu)
        return _bound(problem, point, "f(x)-f*", value, slack, self, key, look, label)

    def measured(self, problem: Problem) -> tuple[Array]:
        """The predicted decrease at the reference, or min(1, that at x0)."""
        reference = problem.reference_point()
        judged, at = evaluation.lift(problem, reference or problem.start())
        found = predicted_decrease(judged, at.x)
        return (found if reference is not None else at_most_one(found),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One gradient, and the midpoints of the convexity test."""
        return _cost(self.screen, problem)

    def refuses(self, problem: Problem) -> str | None:
        """Without mu, or with a term."""
        return no_term(problem, self.name) or _needs_mu(problem, self.name)


class StrongDistance(Scaled):
    """||x - x*||_2 <= ||grad f(x)||_2 / mu.

    The scale is the same bound at the reference, or min(1, that at x0).

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), section
    2.1.3.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2), mu=2.0)
        >>> verdict = bn.verify(
        ...     bowl, np.array([1.0, 1.000001]), check=bn.StrongDistance(), tol=1e-5
        ... )
        >>> print(verdict)
        certified: ||x-x*||_2, ratio 1e-06, tol 1e-05
          ...
    """

    name: ClassVar[str] = "strong_distance"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        judged, at = evaluation.lift(problem, point)
        mu = evaluation.rounded_down(
            problem.facts().mu, evaluation.judged_dtype(problem)
        )
        against = screen_scale(problem, self.scale) * mu
        norm, e, label = evaluation.grad_norm(judged, at.x, self.screen, against)
        value = norm / mu
        slack = 1.01 * (e / mu) + gam(4, value.dtype) * value
        # Quotients, and 1 / mu.
        slack = slack + 4 * least(value.dtype) * (1 + norm + e)
        return _bound(
            problem, point, "||x-x*||_2", value, slack, self, key, look, label
        )

    def measured(self, problem: Problem) -> tuple[Array]:
        """The bound at the reference."""

        def bound(judged, x):
            value, slack, _ = evaluation.grad_norm(judged, x, None, None)
            mu = evaluation.rounded_down(problem.facts().mu, value.dtype)
            return value / mu, slack / mu

        def cheap(judged, x):
            value = tree.norm(judged.grad(x))
            return value / evaluation.rounded_down(problem.facts().mu, value.dtype)

        return (at_reference(problem, bound, cheap),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One gradient, and the midpoints of the convexity test."""
        return _cost(self.screen, problem)

    def refuses(self, problem: Problem) -> str | None:
        """Without mu, or with a term."""
        return no_term(problem, self.name) or _needs_mu(problem, self.name)


class BallGap(Scaled):
    """f(x) - f* <= <grad f(x), x - x0> + R ||grad f(x)||, f convex.

    R is the declared bound of ||x0 - x*||; the right side is the largest
    <g, x - v> over that ball, so it holds at every x. The scale is the same bound
    at the reference, or min(1, that at x0).

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: the first-order condition of convexity, Boyd and Vandenberghe, Convex
    Optimization (2004), section 3.1.3.

    Example:
        >>> bowl = bn.Smooth(
        ...     lambda x: jnp.sum((x - 1.0) ** 2),
        ...     np.zeros(2),
        ...     convex=True,
        ...     radius=2.0,
        ... )
        >>> verdict = bn.verify(
        ...     bowl, np.array([1.0, 1.000001]), check=bn.BallGap(), tol=1e-5
        ... )
        >>> print(verdict)
        certified: f(x)-f*, ratio 6e-06, tol 1e-05
          ...
    """

    name: ClassVar[str] = "ball_gap"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        judged, at = evaluation.lift(problem, point)
        label = evaluation.provenance(judged.grad, at.x)

        def cheap():
            g = judged.grad(at.x)
            return _ball(judged, at.x, evaluation.Judged(g, tree.zeros_like(g), label))[
                0
            ]

        against = screen_scale(problem, self.scale)
        value, slack = evaluation.behind(
            self.screen, against, cheap, lambda: _judged_ball(judged, at.x), 2
        )
        return _bound(
            problem, point, "f(x)-f*", value, slack, self, key, look, label, "radius"
        )

    def measured(self, problem: Problem) -> tuple[Array]:
        """The bound at the reference."""
        return (at_reference(problem, _judged_ball),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One gradient, and the midpoints of the convexity test."""
        return _cost(self.screen, problem)

    def refuses(self, problem: Problem) -> str | None:
        """Without convexity, without a radius, or with a term."""
        facts = problem.facts()
        if no_term(problem, self.name) is None and not (
            facts.has("convex") and facts.radius is not None
        ):
            return (
                f"{self.name} needs convex f and a bound of ||x0 - x*||; declare "
                "convex=True and radius=R, or use check='stationarity'"
            )
        return no_term(problem, self.name)


def predicted_decrease(problem, x):
    """What a quadratic model promises at x, else 1; nothing is charged to it."""
    g = problem.grad(x)
    big = tree.max_abs(g)
    # Of the direction alone: the fourth power of g is out of range long before g is.
    unit = jnp.where((big > 0) & jnp.isfinite(big), big, 1)
    unit = jnp.minimum(unit, float(jnp.finfo(unit.dtype).max) / 8)
    d = jax.tree.map(lambda v: v / unit, g)
    bend, square = tree.vdot(d, problem.hvp(x, d)), tree.vdot(d, d)
    safe = jnp.where(bend > 0, bend, 1)
    value = unit * (square * (square / (2 * safe)) * unit)
    # Where the product vanishes 0 stays, and certifies nothing.
    known = (big > 0) & (bend > 0) & jnp.isfinite(value)
    return jnp.where(known, value, jnp.ones_like(value))


def _judged_ball(problem, x):
    return _ball(problem, x, evaluation.judge(problem.grad, x))


def _ball(problem, x, g):
    dtype = tree.dtype(x)
    R = jnp.asarray(problem.facts().radius, dtype)
    d = tree.sub(x, problem.start().x)
    dots, size = tree.vdot(g.value, d), problem.size()
    rough = tree.norm(g.value) * tree.norm(d)
    norm = tree.norm(g.value)
    e = evaluation.norm_slack(norm, g.error, size)
    far = tree.norm(d) + R
    slack = 1.01 * (e * far + gam(size + 6, dtype) * (rough + R * norm))
    # Products, and differences from x0, that vanish.
    lost = 4 * least(dtype) * (size + size * norm + far)
    return dots + R * norm, slack + lost


def _bound(problem, point, quantity, value, slack, check, key, look, label, *facts):
    names = ("mu",) if not facts else ("convex", *facts)
    judged, at = evaluation.lift(problem, point)
    certificate = single(
        quantity,
        evaluation.where_defined(judged, at.x, value),
        slack,
        held_against(problem, value, slack, check.scale, label),
        grade="bound",
        assumes=evaluation.declared(problem, *names)
        + evaluation.believed("gradient", label)
        + evaluation.stopped(problem),
        rounding=label,
        look=look,
        scale_from=source(problem),
    )
    passes = evaluation.below(check.screen, value, screen_scale(problem, check.scale))
    parts = midpoint_part(problem, point, key, passes)
    return extended(certificate, parts), Point(point.x)


def _cost(screen, problem):
    if screen is not None:
        return {"value": 1, "grad": 1}
    extra = midpoint_calls(problem)
    once = {"value": 1, "grad": 1}
    return {k: once.get(k, 0) + extra.get(k, 0) for k in sorted({*once, *extra})}


def _needs_mu(problem, name):
    if problem.facts().mu is None:
        return (
            f"{name} needs the strong convexity constant mu, which this problem does "
            "not declare; declare mu, or use check='stationarity'"
        )
    return None
