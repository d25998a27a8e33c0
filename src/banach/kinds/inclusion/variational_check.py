"""The gap of a variational inequality, and of a saddle point over bounded sets."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refute_monotonicity import pair_calls, pair_parts
from banach.checks.scales import Scaled
from banach.core import tree
from banach.core.check import Certificate, extended, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam
from banach.kinds.inclusion.check import no_operator
from banach.terms.sets import L2Ball
from banach.terms.term import Term


class VariationalGap(Scaled):
    """max over v in C of <F(z), z - v>, which is 0 exactly at solutions.

    For a saddle function, convex in x and concave in y (`is_saddle` and `monotone`,
    both among what is assumed), it bounds the duality gap
    max_y' phi(x, y') - min_x' phi(x', y); for monotone F it bounds
    max <F(v), z - v>. Without monotonicity it is the gap of the linearised problem, a
    residual, and no duality gap. The maximum is exact: responses found by an inner
    solver would only bound it from below. C is the term's compact set; a point outside
    is projected first, and that point is returned. Without a term, C is the ball of the
    declared radius around the start, and the gap is restricted to it: <F(z), z - z*>
    is then nonnegative for the solution z* in the ball, and a negative gap refutes
    the radius or monotonicity.

    The scale is the gap at the centre of C; at the vertex that answers it where the
    centre is a solution.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Facchinei and Pang, Finite-Dimensional Variational Inequalities (2003),
    chapter 10; Nesterov, Mathematical Programming 109 (2007).

    Example:
        >>> pay = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> game = bn.saddle(
        ...     lambda x, y: x @ pay @ y,
        ...     np.ones(2) / 2,
        ...     np.ones(2) / 2,
        ...     term=bn.Product(bn.Simplex(), bn.Simplex()),
        ...     monotone=True,
        ... )
        >>> verdict = bn.verify(
        ...     game, (np.ones(2) / 2, np.ones(2) / 2), check=bn.VariationalGap()
        ... )
        >>> print(verdict)
        certified: duality gap, ratio 2.71e-15, tol 1e-06
          ...
    """

    name: ClassVar[str] = "variational_gap"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The gap at z, or at its projection if z is outside the term's set."""
        inside = Point(_repaired(problem, point.x))
        value, slack, label = _gap(problem, inside, self.screen, self.scale)
        certificate = single(
            _quantity(problem),
            value,
            slack,
            self.scale,
            grade="bound" if problem.facts().has("monotone") else "residual",
            assumes=_claims(problem)
            + evaluation.believed("operator", label)
            + evaluation.stopped(problem),
            rounding=label,
            look=look,
        )
        passes = evaluation.below(self.screen, value, self.scale)
        parts = pair_parts(problem, inside, key, passes)
        return extended(certificate, parts), inside

    def measured(self, problem: Problem) -> tuple[Array]:
        """The gap at the centre of C."""
        one = jnp.ones((), evaluation.judged_dtype(problem))
        judged, start = evaluation.lift(problem, problem.start())
        C = _set(judged)
        centre = C.center(start.x)
        corner = C.lmo(judged.operator(centre))
        value, slack, _ = _gap(judged, Point(centre), None, one)
        other, rough, _ = _gap(judged, Point(corner), None, one)
        flat = ~(value > 2 * slack)
        value, slack = jnp.where(flat, other, value), jnp.where(flat, rough, slack)
        nothing = evaluation.ordinary(problem) & evaluation.ordinary(judged)
        return (evaluation.usable(value, slack, nothing),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One full pass; without a screen also the sampled pairs."""
        extra = {} if self.screen is not None else pair_calls(problem)
        return {"operator": 1 + extra.get("operator", 0)}

    def refuses(self, problem: Problem) -> str | None:
        """Where there is neither a compact set nor a radius."""
        no = no_operator(problem, self.name)
        if no is not None:
            return no
        if problem.term is None and problem.facts().radius is None:
            return (
                f"{self.name} needs a bounded set: pass a compact term (bn.Product of "
                "sets for a saddle point), or declare the radius of a ball around the "
                "start that holds a solution; or use check='inclusion'"
            )
        if problem.term is not None and not {"lmo", "conjugate"} <= (
            problem.term.offers()
        ):
            return (
                f"{self.name} needs a compact set, and {type(problem.term).__name__} "
                "is none; use check='inclusion'"
            )
        return None


def _set(problem: Problem) -> Term:
    if problem.term is not None:
        return problem.term
    radius: Any = problem.facts().radius
    return L2Ball(radius, problem.start().x)


def _repaired(problem: Problem, z: Any) -> Any:
    if problem.term is None:
        return z
    allowed = gam(problem.size() + 8, tree.dtype(z)) * (tree.norm(z) + 1)
    outside = problem.term.violation(z) > allowed
    return evaluation.fixed(tree.where(outside, problem.term.project(z), z))


def _gap(problem: Problem, point: Point, screen: Any, scale: Any):
    """The gap, its slack and how that is known."""
    judged, at = evaluation.lift(problem, point)
    z, C = at.x, _set(judged)
    label = evaluation.provenance(judged.operator, z)

    def bracket(F, error):
        value, slack = C.fenchel_young(z, tree.neg(F), error)
        if problem.term is not None:
            # What is left outside may gain as much as F over that distance.
            far = tree.norm(F) + tree.norm(error)
            slack = slack + 1.01 * C.violation(z) * far
        return value, slack

    def full():
        F = evaluation.judge(judged.operator, z)
        return bracket(F.value, F.error)

    def cheap():
        F = judged.operator(z)
        return bracket(F, tree.zeros_like(F))[0]

    value, slack = evaluation.behind(screen, scale, cheap, full, 2)
    return value, slack, label


def _quantity(problem: Problem) -> str:
    where = "" if problem.term is not None else " over ||v-z0||<=radius"
    if not problem.is_saddle:
        return _MAX + where
    if not problem.facts().has("monotone"):
        return f"VI gap {_MAX}{where} (no duality gap without monotonicity)"
    return f"restricted duality gap{where}" if where else "duality gap"


_MAX = "max <F(z),z-v>"


def _claims(problem: Problem) -> tuple[str, ...]:
    facts = problem.facts()
    says = ("monotone: not declared",)
    if facts.has("monotone"):
        says = (facts.says("monotone"),)
        # That F is (grad_x phi, -grad_y phi) makes of it a duality gap.
        says += ("is_saddle: declared",) if problem.is_saddle else ()
    if problem.term is None:
        says += (facts.says("radius"),)
    return says
