"""How far f(x) + g(x) + h(K x) is above its least value, f strongly convex."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.checks import evaluation
from banach.checks.refusals import refuse_without
from banach.checks.refute_convexity import midpoint_calls, midpoint_part
from banach.checks.scales import (
    Scaled,
    at_reference,
    held_against,
    screen_scale,
    source,
)
from banach.checks.strong import predicted_decrease
from banach.core import tree
from banach.core.check import Certificate, extended, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, some
from banach.kinds.structured.check import one_step
from banach.terms.groups import GroupL2, SparseGroupL2
from banach.terms.norms import L1, ElasticNet, L2Norm, LInf, SquaredL2, Zero
from banach.terms.sets import Box
from banach.terms.sorted_l1 import SortedL1
from banach.terms.term import Set, Term

Scalar = Float[Array, ""]
# Norms of the absolute values: they grow with each, and what is added adds its own.
_ABSOLUTE = L1 | L2Norm | LInf | GroupL2 | SparseGroupL2 | SortedL1
_BESIDE = _ABSOLUTE | Zero | SquaredL2 | ElasticNet | Box


class PrimalDualGap(Scaled):
    """F(x) - F* for F = f + g + h(K .), by a dual point, where f has a known mu.

    From x and the y that is offered the check makes x+ and y+ by the step of
    `PrimalDual`, and v = (prox argument - x+)/t in dg(x+). Both are scaled into the
    domains of h* and g*, after which, with r = grad f(x+) + K'y + v,

        F(x+) - F* <= [g(x+) + g*(v) - <x+, v>] + [h(K x+) + h*(y) - <K x+, y>]
                      + ||r||^2 / (2 mu)

    which holds for every x, y and v: f, g and h lie above their tangents, and what r
    leaves is bounded by the strong convexity of f. The brackets are computed without
    cancellation. The scale is the decrease that a quadratic model of f promises at the
    reference, ||g||^4 / (2 <g, H g>), as for `strong_gap`, or the same bound there with
    y = v = 0 where that is less; without a reference min(1, that at x0). mu is believed
    as declared, and refuted where sampled midpoints contradict it.

    h must be a norm of absolute values (L1, GroupL2, L2Norm, LInf, ..), as in total
    variation, the fused and the generalised lasso; g None, such a norm, a ridge, an
    elastic net or a box.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem.

    Source: Rockafellar, Convex Analysis (1970), theorem 31.1, for the brackets; the
    remainder as in Nesterov, Introductory Lectures on Convex Optimization (2004),
    theorem 2.1.10; put together here.

    Example:
        >>> jump, D = np.array([0.0, 0.2, 3.0, 3.2]), np.diff(np.eye(4), axis=0)
        >>> steps = bn.Structured(
        ...     lambda x: jnp.sum((x - jump) ** 2) / 2,
        ...     None,
        ...     bn.L1(0.5),
        ...     D,
        ...     np.zeros(4),
        ...     mu=1.0,
        ...     L=1.0,
        ...     reference=np.zeros(4),
        ... )
        >>> result = bn.solve(steps, check=bn.PrimalDualGap())
        >>> result.certificate.grade, result.x.round(4)
        ('bound', array([0.35, 0.35, 2.85, 2.85]))
    """

    name: ClassVar[str] = "primal_dual_gap"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at (x+, y)."""
        judged, at = evaluation.lift(problem, point)
        kind = tree.dtype(point.x)
        step = one_step(judged, at, kind)
        traced = evaluation.Traced(judged.grad, step.x)
        label, pair = traced.rounding, _scaled(judged, step)
        mu = evaluation.rounded_down(problem.facts().mu, step.x.dtype)

        against = screen_scale(problem, self.scale)
        rough, _ = _bound(judged, step.x, *pair, judged.grad(step.x), 0, mu)
        value, slack = evaluation.screened(
            evaluation.below(self.screen, rough, against),
            lambda: (rough, rough / 2),
            lambda: _bound(judged, step.x, *pair, *_judged(traced), mu),
        )
        strange = some((judged.g, judged.h), jnp.isnan)
        bad = judged.undefined(step.x) | strange | ~step.whole
        # Outside the set of g there is no value to bound.
        out = judged.g.violation(step.x) > 0
        value = jnp.where(bad, jnp.nan, jnp.where(out, jnp.inf, value))
        certificate = single(
            "F(x)-F*",
            value,
            slack,
            held_against(problem, value, slack, self.scale, label),
            grade="bound",
            assumes=evaluation.declared(problem, "mu")
            + evaluation.believed("gradient", label)
            + evaluation.stopped(problem),
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        passes = evaluation.below(self.screen, value, against)
        parts = midpoint_part(problem, Point(step.x), key, passes)
        kept = Point(step.x.astype(kind), pair[0].astype(kind))
        return extended(certificate, parts), kept

    def measured(self, problem: Problem) -> tuple[Any]:
        """The decrease, or the bound, at the reference, or min(1, that at x0)."""
        mu = problem.facts().mu

        def bound(judged: Any, x: Array) -> tuple[Scalar, Scalar]:
            low = evaluation.rounded_down(mu, x.dtype)
            zero = jnp.asarray(judged.zero_dual(), x.dtype)
            traced = evaluation.Traced(judged.grad, x)
            inside = judged.g.project(x) if isinstance(judged.g, Set) else x
            value, slack = _bound(judged, inside, zero, 0 * x, *_judged(traced), low)
            # The bound grows with the condition of f, and F(reference) - F* does not.
            return jnp.minimum(value, predicted_decrease(judged.f, inside)), slack

        return (at_reference(problem, bound),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """A step, its end, and the midpoints of the convexity test."""
        outer = {"outer_prox": 1, "forward": 2, "adjoint": 2}
        once = {"value": 1, "grad": 2, "prox": 1} | outer
        extra = {} if self.screen is not None else midpoint_calls(problem)
        return {k: once.get(k, 0) + extra.get(k, 0) for k in sorted({*once, *extra})}

    def refuses(self, problem: Problem) -> str | None:
        """Other kinds, no mu, terms whose brackets are not known."""
        says = f"{self.name} needs the oracle outer_prox"
        refused = refuse_without("outer_prox", problem, says)
        return refused or without(problem)


def without(problem: Any) -> str | None:
    """What a structured sum lacks for this check, with the cure, or None."""
    name, cure = PrimalDualGap.name, "use check='primal_dual'"
    if problem.facts().mu is None:
        return (
            f"{name} needs the strong convexity constant mu of f; declare mu, or {cure}"
        )
    for word, term, known in (("h", problem.h, _ABSOLUTE), ("g", problem.g, _BESIDE)):
        bare = word == "g" and isinstance(term, Zero)
        if not isinstance(term, known) or not (bare or "conjugate" in term.offers()):
            return (
                f"{name} knows no bracket of {type(term).__name__} as {word}; use a "
                f"norm such as bn.L1 or bn.GroupL2 there, or {cure}"
            )
    return None


def _judged(traced: evaluation.Traced) -> tuple[Array, Array]:
    found = traced.judge()
    return found.value, found.error


def _scaled(problem: Any, step: Any) -> tuple[Array, Array]:
    """y and v of the step, in the domains of h* and g*."""
    v = (step.v - step.x) / step.t
    none = jnp.zeros_like(v)
    y = _inside(problem.h, step.y)
    return y, none if isinstance(problem.g, Zero) else _inside(problem.g, v)


def _inside(term: Term, v: Array) -> Array:
    """A multiple of v in the domain of the conjugate; 0 where nothing is paid."""
    v = jnp.where(jnp.asarray(term.unpenalised), 0, v)
    # The product s v rounds once more.
    e = 8 * gam(1, v.dtype) * jnp.abs(v) + 4 * least(v.dtype)
    return term.dual_scale(v, e) * v


def _bound(
    problem: Any, x: Array, y: Array, v: Array, g: Array, error: Any, mu: Scalar
) -> tuple[Scalar, Scalar]:
    """The right side and its slack, with the rounding of everything in it."""
    kind, u, tiny = x.dtype, gam(1, x.dtype), least(x.dtype)
    ahead, back = problem.terms()
    image, down = problem.forward(x), problem.adjoint(y)
    r = g + down + v
    rough = gam(back + 2, kind) * problem.absolute_back(jnp.abs(y))
    rough += 2 * tiny * (back + 1) * (2 + tree.max_abs(y))
    rough += 4 * u * (jnp.abs(g) + jnp.abs(down) + jnp.abs(v))
    rough += error
    norm = tree.norm(r)
    left = evaluation.half_square(norm, evaluation.norm_slack(norm, rough, x.size), mu)
    value, slack = left
    if not isinstance(problem.g, Zero):
        own = problem.g.fenchel_young(x, v, jnp.zeros_like(v))
        value, slack = value + own[0], slack + own[1]
    outer = problem.h.fenchel_young(image, y, jnp.zeros_like(y))
    # K x is off by `moved`: h grows by no more than h(moved), <K x, y> by its product.
    moved = gam(ahead + 2, kind) * problem.absolute(jnp.abs(x))
    moved = moved.reshape(image.shape)
    moved += 2 * tiny * (ahead + 1) * (2 + tree.max_abs(x))
    far = problem.h.value(moved) + jnp.vdot(moved, jnp.abs(y))
    value, slack = value + outer[0], slack + outer[1] + 1.01 * far + tiny * y.size
    # Rows, or unknowns, that cost nothing count as 0 in a bracket, and y and v are 0.
    return value, slack + 4 * gam(4, kind) * (jnp.abs(value) + slack)
