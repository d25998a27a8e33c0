"""Stationarity of a finite sum: every term, once, and counted."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.checks.stationarity import Stationarity, no_term
from banach.core import validation
from banach.core.check import Certificate, Check, Part
from banach.core.point import Point
from banach.core.problem import Misuse, Problem

_COUNT = "terms not summed exactly once"


class FullSum(Check):
    """||grad F(x)||_2 of the whole deterministic sum, and the count of its terms.

    The gradient is that of `Stationarity`: no minibatch, no stale table, no noise
    inside the terms (dropout off). The second part is minus the distance between the
    number of terms that the gradient added up and the number that the problem
    states: 0, or the run is refuted. A residual: nothing is said of F(x) - F* nor of
    ||x - x*||; for strongly convex F use "strong_gap" or "strong_distance".

    Args:
        gradient: the check of the gradient's norm.
        screen: the ratio above which rounding is not bounded; None: it always is.

    Source: the definition of the sum; the gradient's as in `Stationarity`.

    Example:
        >>> mean = bn.FiniteSum(
        ...     lambda x, d: (x - d) ** 2, 0.0, np.array([1.0, 2.0, 6.0])
        ... )
        >>> verdict = bn.verify(mean, np.array(3.0), check=bn.FullSum())
        >>> print(verdict)
        certified: ||grad f(x)||_2, ratio 2.72e-15, tol 1e-06
          ...
    """

    name: ClassVar[str] = "full_sum"

    gradient: Stationarity = Stationarity()
    screen: Any = None

    def __check_init__(self):
        evaluation.read(self, screen="positive")
        if not isinstance(self.gradient, Stationarity):
            raise Misuse(
                f"gradient must be a bn.Stationarity, got "
                f"{validation.shown(self.gradient)}"
            )

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The norm of the gradient at the point itself, and the count."""
        seen, at = self._gradient()(problem, point, key, look)
        judged, lifted = evaluation.lift(problem, point)
        count = judged.every_term(lifted.x)[1]
        one = jnp.ones_like(seen.parts[0].value)
        off = jnp.abs(count.astype(one.dtype) - judged.n)
        # Never within a tolerance, and refuted at once.
        part = Part(_COUNT, -off, 0 * one, one)
        certificate = dataclasses.replace(
            seen,
            parts=(*seen.parts, part),
            assumes=("every term once: by construction", *seen.assumes),
        )
        return certificate, at

    def prepared(self, problem: Problem) -> "FullSum":
        """With the gradient norm at the reference."""
        return FullSum(self.gradient.prepared(problem), self.screen)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value and gradient; where a screen passes, one gradient more."""
        return self.gradient.cost(problem)

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are no list of terms."""
        fits = bool(problem.oracles() & {"stochastic_grad", "local_grad"})
        no = refuse_unless(fits, problem, f"{self.name} judges sums of terms")
        return no or no_term(problem, self.name)

    def _gradient(self) -> Stationarity:
        g = self.gradient
        return Stationarity(self.screen, g.scale, g.sizes, g.terms)
