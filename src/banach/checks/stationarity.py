"""First-order stationarity: the norm of the gradient."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation
from banach.checks.scales import (
    Scaled,
    Sizes,
    at_most_one,
    at_reference,
    component_parts,
    held_against,
    screen_scale,
    sizes,
    source,
)
from banach.core import tree
from banach.core.check import Certificate, Part, single
from banach.core.point import Point
from banach.core.problem import Problem

QUANTITY = "||grad f(x)||_2"
_NAMES = (
    "max_j |grad f(x)_j|/(|A|'|l'(null)|)_j",
    "|grad f(x)_j| where (|A|'|l'(null)|)_j = 0: absolute",
    QUANTITY,
)


class Stationarity(Scaled):
    """||grad f(x)||_2, relative to its value at the reference point.

    Without a reference it is absolute, and held against min(1, its value at the
    problem's own x0): small units are no solution. Where all that is left of every
    component is modelled rounding it is held against 1. Components may carry units of
    their own, and a large one must not hide the others: the scale is lowered until no
    component is larger beside the terms that it is a sum of at x0.

    The components of a GLM carry the units of their columns: each is relative to its
    companion (|A|' w |l'|)_j at the null model, and absolute where that is 0. An
    absolute tolerance is of the 2-norm.

    A residual: nothing is said of f(x) - f* or of ||x - x*||; on a flat tail it is
    small far from every minimiser. `screen` is the ratio above which the running
    error pass is skipped.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the norm is relative to; None: found from the problem,
            as said above.
        sizes: what each component is relative to, like x; None: found with the scale.
        terms: the sizes of the terms that each component is a sum of; None: found too.

    Source: Nocedal and Wright, Numerical Optimization (2006), theorem 2.2.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> verdict = bn.verify(
        ...     bowl, np.array([1.0, 1.0 + 1e-9]), check=bn.Stationarity()
        ... )
        >>> print(verdict)
        certified: ||grad f(x)||_2, ratio 2e-09, tol 1e-06
          ...
    """

    name: ClassVar[str] = "stationarity"

    sizes: Any = None
    terms: Any = None

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The norm of the gradient at the point itself."""
        judged, at = evaluation.lift(problem, point)
        if self.sizes is not None:
            return self._by_component(judged, at.x, look), Point(point.x, None)
        if self.terms is not None:
            value, slack, scale = self._beside_terms(judged, at.x)
            label = "modelled"
        else:
            against = screen_scale(problem, self.scale)
            value, slack, label = evaluation.grad_norm(
                judged, at.x, self.screen, against
            )
            scale = held_against(problem, value, slack, self.scale, label)
        certificate = single(
            QUANTITY,
            evaluation.where_defined(judged, at.x, value),
            slack,
            scale,
            grade="residual",
            assumes=evaluation.believed("gradient", label)
            + evaluation.stopped(problem),
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        return certificate, Point(point.x, None)

    def _beside_terms(self, problem: Problem, x: PyTree) -> tuple[Array, Array, Array]:
        """||grad f(x)||, its slack and its scale, where no reference measures it."""
        size, dtype = problem.size(), self.scale.dtype

        def full() -> tuple[Array, Array, Array]:
            g = evaluation.judge(problem.grad, x)
            norm = tree.norm(g.value)
            slack = evaluation.norm_slack(norm, g.error, size)
            # Of the components that are more than rounding.
            each = [
                jnp.min(
                    jnp.where(jnp.abs(v) > e, t / jnp.abs(v), jnp.inf), initial=jnp.inf
                )
                for v, e, t in zip(
                    *map(jax.tree.leaves, (g.value, g.error, self.terms)), strict=True
                )
            ]
            least = jnp.min(jnp.stack(each))
            lowered = jnp.minimum(self.scale, norm * least)
            rounding = (norm <= slack) & jnp.isposinf(least)
            return norm, slack, jnp.where(rounding, jnp.ones((), dtype), lowered)

        if self.screen is None:
            return full()
        norm = tree.norm(problem.grad(x))
        passes = evaluation.below(self.screen, norm, jnp.ones_like(norm))
        return evaluation.screened(passes, lambda: (norm, norm / 8, self.scale), full)

    def _by_component(self, problem: Problem, x: PyTree, look: Any) -> Certificate:
        """The largest component relative to its companion."""
        label = evaluation.provenance(problem.grad, x)

        def full() -> tuple[PyTree, PyTree]:
            g = evaluation.judge(problem.grad, x)
            return g.value, g.error

        parts = component_parts(
            _NAMES, self.sizes, self.screen, lambda: problem.grad(x), full
        )
        lost = problem.undefined(x)
        return of_parts(
            tuple(
                dataclasses.replace(p, value=jnp.where(lost, jnp.nan, p.value))
                for p in parts
            ),
            evaluation.believed("gradient", label) + evaluation.stopped(problem),
            label,
            look,
        )

    def measured(self, problem: Problem) -> tuple[Array, Sizes | None, PyTree]:
        """The gradient norm at the reference, or min(1, that at x0); or companions."""
        found = sizes(problem)
        if found is not None:
            return jnp.ones((), evaluation.judged_dtype(problem)), found, None
        if problem.reference_point() is not None:
            return gradient_scale(problem), None, None
        judged, at = evaluation.lift(problem, problem.start())
        if evaluation.provenance(judged.grad, at.x) == "estimated":
            return gradient_scale(problem), None, None
        g = evaluation.judge(judged.grad, at.x)
        # A component without terms at x0 is held against nothing.
        terms = jax.tree.map(
            lambda e: jnp.where(evaluation.terms(e) > 0, evaluation.terms(e), jnp.inf),
            g.error,
        )
        return at_most_one(tree.norm(g.value)), None, terms

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value and gradient; where a screen passes, one gradient more."""
        return {"value": 1, "grad": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Terms and sets: the gradient of the smooth part is not zero at solutions."""
        return no_term(problem, self.name)


def of_parts(
    parts: tuple[Part, ...], assumes: tuple[str, ...], label: str, look: Any
) -> Certificate:
    """A residual by components: the first part names the quantity."""
    zero = jnp.zeros_like(parts[0].value)
    return Certificate(
        parts,
        parts[0].name,
        "residual",
        assumes,
        label,
        False,
        zero,
        jnp.asarray(look, jnp.int32),
        jnp.zeros((), jnp.int32),
    )


def gradient_scale(problem: Problem) -> Array:
    """||grad f|| at the reference, or min(1, that at x0)."""
    return at_reference(
        problem,
        lambda f, x: evaluation.grad_norm(f, x, None, None),
        lambda f, x: tree.norm(f.grad(x)),
    )


def no_term(problem: Problem, name: str) -> str | None:
    """The refusal of a check that reads the gradient of f alone."""
    if "grad" not in problem.oracles():
        return f"{name} needs the oracle grad, which {problem.kind} lacks"
    if problem.essential():
        return (
            f"{name} reads the gradient of the smooth part, which is not zero at a "
            f"solution of this {problem.kind}; use check='{problem.default_check()}'"
        )
    return None
