"""A target for the objective."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation
from banach.core import tree, validation
from banach.core.annotations import Real
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam
from banach.terms.product import Product
from banach.terms.term import Norm, Set, Term


def _target(value: Any) -> Any:
    return validation.number(value, "target")


class Goal(Check):
    """f(x) <= target, f the whole objective; a signed quantity, no optimality.

    The value is f(x) at a feasible x, and the goal is reached where f(x) + slack <=
    target; tol has no say. Where a term has a set, a point outside is projected first,
    that point is returned, and what rounding leaves of its distance e to the set is
    charged with e ||grad f(x)||: an infeasible point may lie below every feasible one.

    Problems without an objective of x alone are refused: at two levels F(x, y) at any
    y lies below the least value, constraints are met by no iterate exactly, and a
    root, a map or an inclusion has a merit only.

    Args:
        target: the number that f is to come down to, in the units of f.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2) + 3.0, np.zeros(2))
        >>> bn.solve(bowl, check=bn.Goal(3.5)).status
        'certified'
    """

    name: ClassVar[str] = "goal"

    target: Real = eqx.field(converter=_target)

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """f against the target at the point, or at its projection."""
        inside = Point(point.x)
        if _limited(problem):
            inside = Point(_repaired(problem, point.x))
        judged, at = evaluation.lift(problem, inside)
        f = evaluation.judge(judged.objective, at.x)
        dtype = f.value.dtype
        target = jnp.asarray(self.target, dtype)
        slack, notes = 1.01 * f.error, evaluation.believed("objective", f.rounding)
        label = f.rounding
        if _limited(problem):
            far = _distance(judged, at.x)
            g = evaluation.judge(judged.grad, at.x)
            steep = tree.norm(g.value) + tree.norm(g.error)
            slack = slack + 1.01 * far * steep
            # A first-order charge is meant for rounding, not for a failed projection.
            near = jnp.sqrt(jnp.finfo(tree.dtype(point.x)).eps)
            slack = jnp.where(far <= near * _size(judged, at.x), slack, jnp.inf)
            notes += evaluation.believed("gradient", g.rounding) + evaluation.stopped(
                problem
            )
            label = "estimated" if "estimated" in (label, g.rounding) else label
        # f may be defined where a NaN among the unknowns does not reach it.
        value = jnp.where(tree.all_finite(at.x), f.value, jnp.nan)
        size = jnp.abs(target)
        certificate = single(
            "f(x) (goal)",
            value,
            slack,
            jnp.where(size > 0, size, 1),
            grade="bound",
            assumes=notes,
            rounding=label,
            signed=True,
            look=look,
            target=target,
        )
        return certificate, inside

    def refuses(self, problem: Problem) -> str | None:
        """No objective of x alone, or a set that nothing here can project to."""
        instead = f"use check='{problem.default_check()}'"
        offered = problem.oracles()
        if "lower_grad" in offered:
            return (
                f"{self.name}: F(x, y) at a y that does not solve the lower problem "
                "may lie below every value of Phi(x) = F(x, y*(x)): it reaches no goal;"
                " "
                f"{instead}, or state Phi itself as bn.Smooth where y*(x) is known"
            )
        if "constraints" in offered:
            return (
                f"{self.name}: a point that violates a constraint, by rounding alone, "
                "may lie below every feasible value, so f(x) of this "
                f"{problem.kind} reaches no goal; {instead}, or state a set that has a "
                "projection as a term of bn.Composite"
            )
        if "value" not in offered:
            return (
                f"{self.name} needs an objective to reach a target with, which this "
                f"{problem.kind} lacks; {instead}"
            )
        essential = problem.essential()
        if not essential or "project" in essential:
            return None
        if _domain(getattr(problem, "term", None)) is None:
            return (
                f"{self.name} cannot tell whether a point of this {problem.kind} is "
                f"feasible, and an infeasible one may lie below the target; {instead}"
            )
        return None

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One objective; with a set two projections and a gradient more."""
        if not _limited(problem):
            return {"value": 1}
        if "project" in problem.essential():
            return {"value": 1, "grad": 1, "project": 2}
        return {"value": 1, "grad": 1}


def _domain(term: Any) -> str | None:
    """ "all" where a term is finite everywhere, "set" where its parts project."""
    if isinstance(term, Product):
        found = {_domain(part) for part in term.terms}
        return None if None in found else ("set" if "set" in found else "all")
    if isinstance(term, Norm):
        return "all"
    if isinstance(term, Set) and "project" in term.offers():
        return "set"
    return None


def _limited(problem: Problem) -> bool:
    """Whether f is finite on a set only (static)."""
    essential = problem.essential()
    return bool(essential) and (
        "project" in essential or _domain(getattr(problem, "term", None)) == "set"
    )


def _nearest(problem: Problem, x: PyTree) -> PyTree:
    if "project" in problem.essential():
        return problem.project(x)
    return _parts(problem.term, x)


def _parts(term: Term, x: PyTree) -> PyTree:
    """The projection of each part of a product that is a set."""
    if isinstance(term, Product):
        return tuple(_parts(t, v) for t, v in zip(term.terms, x, strict=True))
    return term.project(x) if isinstance(term, Set) else x


def _repaired(problem: Problem, x: PyTree) -> PyTree:
    """The projection of x in the dtype that is returned; x where it is NaN."""
    near = tree.cast(_nearest(problem, x), tree.dtype(x))
    return evaluation.fixed(tree.where(tree.all_finite(x), near, x))


def _distance(problem: Problem, x: PyTree) -> Array:
    """Distance to the set, with what the rounding of a projection may hide."""
    found = tree.norm(tree.sub(x, _nearest(problem, x)))
    return found + gam(problem.size() + 8, tree.dtype(x)) * _size(problem, x)


def _size(problem: Problem, x: PyTree) -> Array:
    """What the rounding of a projection is relative to: x, and a bounded set."""
    facts = problem.facts()
    wide = facts.radius if facts.has("compact") else None
    return tree.norm(x) + (0 if wide is None else jnp.asarray(wide, tree.dtype(x)))
