"""Enclosures: a proof that exactly one root lies in a box around the point."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from banach.checks import evaluation
from banach.checks.interval import NoEnclosure, krawczyk
from banach.checks.refusals import refuse_unless
from banach.core import compat, validation
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Misuse, Problem


class EnclosureCheck(Check):
    """||x - x*||_inf, x* the one root of F (or of grad f) in a box around x.

    Krawczyk's test in interval arithmetic on the host, in NumPy. For a minimiser
    the Hessian is also proved positive definite on the box, unless f is convex:
    x* is then a strict local minimiser, global only with convexity. A failed proof
    is an infinite value. At most 200 unknowns.

    Args:
        rigor: "libm", which believes elementary functions to 4 units in the last place,
            or "arb", which computes them in ball arithmetic (needs python-flint).

    Source: Krawczyk, Newton-Algorithmen zur Bestimmung von Nullstellen mit
    Fehlerschranken (1969); Rump, Verification methods, Acta Numerica 19 (2010).

    Example:
        >>> square = bn.Root(lambda x: x**2 - 2.0, np.ones(1))
        >>> verdict = bn.verify(
        ...     bn.solve(square), check=bn.EnclosureCheck(), tol=bn.Absolute(1e-9)
        ... )
        >>> print(verdict)
        certified: ||x-x*||_inf, x* the root, ratio 6.66e-16, tol 1e-09
          ...
    """

    host: ClassVar[bool] = True
    name: ClassVar[str] = "enclosure"

    rigor: str = eqx.field(static=True, default="libm")

    def __check_init__(self):
        validation.choice(self.rigor, "rigor", ("libm", "arb"))

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The proved distance, or infinity."""
        if compat.any_tracer((problem, point)):
            raise Misuse(
                "enclosures are proved on the host, outside jit; run with another "
                "check and call this one on the answer"
            )
        with compat.double():
            judged, at = evaluation.lift(problem, point)
            minimise = "grad" in problem.oracles()
            convex = problem.facts().has("convex")
            F = judged.grad if minimise else judged.residual
            x = jax.tree.map(np.asarray, at.x)
            definite = minimise and not convex
            try:
                found = krawczyk(F, x, definite=definite, rigor=self.rigor)
            except NoEnclosure as error:
                raise Misuse(f"{self.name}: {error}") from error
            good = found.verified and (found.strict_minimiser or not definite)
            value = found.value if good else np.inf
            notes: tuple[str, ...] = ("float literals are taken exactly",)
            if self.rigor == "libm":
                notes += ("libm <= 4 ulp",)
            if minimise and convex:
                notes += evaluation.declared(problem, "convex")
            notes += evaluation.stopped(problem) if minimise else ()
            what = "minimiser" if convex else "strict local minimiser"
            return single(
                f"||x-x*||_inf, x* {what if minimise else 'the root'}",
                np.asarray(value, np.float64),
                0.0,
                1.0,
                grade="enclosure",
                assumes=notes,
                rounding="proved",
                look=look,
            ), Point(point.x)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """At most nine boxes, each a value and a Jacobian of F."""
        if "grad" in problem.oracles():
            return {"grad": 9, "hess": 9}
        return {"residual": 9}

    def refuses(self, problem: Problem) -> str | None:
        """Terms, large problems, and kinds without grad or residual."""
        if problem.size() > 200:
            return f"{self.name} proves at most 200 unknowns, got {problem.size()}"
        known = bool({"grad", "residual"} & problem.oracles())
        says = f"{self.name} needs F(x) = 0 or a smooth minimum"
        return refuse_unless(known and not problem.essential(), problem, says)
