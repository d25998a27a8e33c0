"""The residual of a monotone inclusion, and the distance where F is strong."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.refute_monotonicity import pair_calls, pair_parts
from banach.checks.scales import (
    Scaled,
    at_reference,
    held_against,
    screen_scale,
    source,
)
from banach.core import tree
from banach.core.check import Certificate, extended, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least


class InclusionResidual(Scaled):
    """||z - J_t(z - t F(z))|| / t; without a term this is ||F(z)||.

    F is the full deterministic sum, every component once, and t a constant of the
    problem: t -> 0 would make any step small. With r the residual and L a Lipschitz
    constant of F, some element of F + G at the resolvent is at most (1 + t L) r.
    That is a residual: only a strongly monotone F turns it into a distance. What was
    declared about F is tried on sampled pairs.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Facchinei and Pang, Finite-Dimensional Variational Inequalities (2003),
    section 1.5, the natural map.

    Example:
        >>> turn = lambda z: jnp.stack([z[1] - 2.0, 1.0 - z[0]])
        >>> game = bn.Inclusion(turn, np.zeros(2), monotone=True, L=1.0)
        >>> verdict = bn.verify(
        ...     game, np.array([1.0, 2.0]), check=bn.InclusionResidual()
        ... )
        >>> print(verdict)
        certified: ||F(z)||_2, ratio 3.33e-307, tol 1e-06
          ...
    """

    name: ClassVar[str] = "inclusion"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The residual at the point itself."""
        against = screen_scale(problem, self.scale)
        value, slack, label = _residual(problem, point, self.screen, against)
        certificate = single(
            _quantity(problem),
            value,
            slack,
            held_against(problem, value, slack, self.scale, label),
            grade="residual",
            assumes=_claims(problem)
            + evaluation.believed("operator", label)
            + evaluation.stopped(problem),
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        return _tried(self, problem, point, key, certificate)

    def measured(self, problem: Problem) -> tuple[Array]:
        """The residual at the reference, or min(1, that at the start)."""
        return (_at_reference(problem, 1.0),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One full pass and one resolvent; without a screen also the sampled pairs."""
        return _calls(self, problem)

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are no inclusion."""
        return no_operator(problem, self.name)


class InclusionDistance(Scaled):
    """||z - z*|| <= (1 + t L) / mu r with r the residual; r / mu without a term.

    With p = J_t(z - t F(z)), e = z - p and d = z - z*: (e / t - F(z)) is in G(p) and
    -F(z*) in G(z*), so <e / t - F(z) + F(z*), d - e> >= 0 and
    mu ||d||^2 <= <F(z) - F(z*), d> <= (1 / t + L) ||e|| ||d||.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Facchinei and Pang, Finite-Dimensional Variational Inequalities (2003),
    theorem 2.3.3.

    Example:
        >>> turn = lambda z: jnp.stack([z[0] + z[1] - 3.0, z[1] - z[0] - 1.0])
        >>> both = bn.Inclusion(turn, np.zeros(2), monotone=True, L=1.5, mu=1.0)
        >>> verdict = bn.verify(
        ...     both, np.array([1.0, 2.0]), check=bn.InclusionDistance()
        ... )
        >>> print(verdict)
        certified: ||z-z*||_2, ratio 6.79e-307, tol 1e-06
          ...
    """

    name: ClassVar[str] = "inclusion_distance"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound at the point itself."""
        factor = _factor(problem, self.scale.dtype)
        against = screen_scale(problem, self.scale) / factor
        value, slack, label = _residual(problem, point, self.screen, against)
        # Products, and 1 / mu, that vanish.
        lost = 4 * least(value.dtype) * (1 + value + slack)
        value, slack = factor * value, factor * slack + lost
        slack = slack + gam(12, value.dtype) * value
        names = ("mu",) if problem.term is None else ("mu", "L")
        certificate = single(
            "||z-z*||_2",
            value,
            slack,
            held_against(problem, value, slack, self.scale, label),
            grade="bound",
            assumes=evaluation.declared(problem, *names)
            + evaluation.believed("operator", label)
            + evaluation.stopped(problem),
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        return _tried(self, problem, point, key, certificate)

    def measured(self, problem: Problem) -> tuple[Array]:
        """The bound at the reference, or min(1, that at the start)."""
        factor = _factor(problem, evaluation.judged_dtype(problem))
        return (_at_reference(problem, factor),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One full pass and one resolvent; without a screen also the sampled pairs."""
        return _calls(self, problem)

    def refuses(self, problem: Problem) -> str | None:
        """Without mu; with a term also without L."""
        no = no_operator(problem, self.name)
        facts = problem.facts()
        if no is None and facts.mu is None:
            no = (
                f"{self.name} needs the strong monotonicity constant mu, which this "
                "problem does not declare; declare mu, or use check='inclusion'"
            )
        if no is None and problem.term is not None and facts.L is None:
            no = (
                f"{self.name} needs L, a Lipschitz constant of F, where there is a "
                "term; declare L, or use check='inclusion'"
            )
        return no


def _tried(check, problem, point, key, certificate):
    """The certificate with the sampled pairs, and the point itself."""
    against = screen_scale(problem, check.scale)
    passes = evaluation.below(check.screen, certificate.parts[0].value, against)
    parts = pair_parts(problem, point, key, passes)
    return extended(certificate, parts), Point(point.x)


def _calls(check: Scaled, problem: Problem) -> dict[str, int]:
    extra = {} if check.screen is not None else pair_calls(problem)
    return {"operator": 1 + extra.get("operator", 0), "resolvent": 1}


def _residual(problem: Problem, point: Point, screen: Any, scale: Any):
    """The residual, its slack and how that is known."""
    judged, at = evaluation.lift(problem, point)
    z, size = at.x, problem.size()
    label = evaluation.provenance(judged.operator, z)
    # Without a screen one pass gives F and its error.
    known = evaluation.judge(judged.operator, z) if screen is None else None
    F = judged.operator(z) if known is None else known.value
    value, rough = _moved(judged, z, F)

    def full():
        error = (known or evaluation.judge(judged.operator, z)).error
        return evaluation.norm_slack(tree.norm(F), error, size) + 1.01 * rough

    passes = evaluation.below(screen, value, scale)
    return value, evaluation.screened(passes, lambda: value / 2, full), label


def _moved(problem: Problem, z: PyTree, F: PyTree) -> tuple[Array, Array]:
    """The residual for this F, and what its other operations may round away."""
    dtype = tree.dtype(z)
    t = jnp.asarray(problem.residual_step(), dtype)
    norm = tree.norm(F)
    if problem.term is None:
        return norm, 0 * norm
    forward = tree.axpy(-t, F, z)
    after = problem.resolvent(forward, t)
    value = tree.norm(tree.sub(z, after)) / t
    # A resolvent is nonexpansive: an error of F arrives undiminished. Its own
    # rounding is modelled as gam(n + 8) of its argument and result.
    sizes = tree.norm(forward) + tree.norm(z) + tree.norm(after) + t * norm
    return value, gam(problem.size() + 8, dtype) * (sizes / t + value)


def _at_reference(problem: Problem, factor: Any):
    """The scale of the residual times a factor."""

    def measure(judged, z):
        value, slack, _ = _residual(judged, Point(z), None, 1)
        return factor * value, factor * slack

    def cheap(judged, z):
        return factor * _moved(judged, z, judged.operator(z))[0]

    return at_reference(problem, measure, cheap)


def _factor(problem: Problem, dtype: Any) -> Array:
    facts = problem.facts()
    mu = jnp.asarray(facts.mu, dtype)
    if problem.term is None:
        return 1 / mu
    t = jnp.asarray(problem.residual_step(), dtype)
    return (1 + t * jnp.asarray(facts.L, dtype)) / mu


def _quantity(problem: Problem) -> str:
    return "||F(z)||_2" if problem.term is None else "||z-J_t(z-tF(z))||_2/t"


def _claims(problem: Problem) -> tuple[str, ...]:
    """Monotonicity is what makes a small residual mean something; L fixes t."""
    facts = problem.facts()
    says = (facts.says("monotone"),) if facts.has("monotone") else ()
    if problem.term is not None and facts.L is not None:
        says += (facts.says("L"),)
    return says or ("monotone: not declared",)


def no_operator(problem: Problem, name: str) -> str | None:
    """The refusal of problems that are no inclusion, or None."""
    fits = "operator" in problem.oracles()
    return refuse_unless(fits, problem, f"{name} judges inclusions 0 in F(z) + G(z)")
