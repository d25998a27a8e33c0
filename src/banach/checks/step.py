"""The residual of one proximal gradient step."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from banach.checks import common
from banach.checks.frame import Floored, refuse_without
from banach.core import tree
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.term import gam


class ProxStep(Floored):
    """x+ = prox(x - t grad f(x), t), e = ||x - x+||; x+ is what is returned.

    With a bound L of the gradient's Lipschitz constant, dist(0, dF(x+)) is at most
    (1/t + L) e; without one the value is e / t, and nothing is said of dF. t belongs
    to the problem: t -> 0 would make any e small. At x itself the distance may be
    of order 1 while it is tiny at x+.
    """

    name: ClassVar[str] = "step"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The residual, and x+."""
        value, slack, label, after = _residual(problem, point, self)
        L = problem.facts().L
        certificate = single(
            "||x-x+||/t" if L is None else "dist(0,dF(x+))",
            value,
            slack,
            self.scale,
            grade="residual",
            assumes=(() if L is None else common.declared(problem, "L"))
            + common.believed("gradient", label),
            rounding=label,
            look=look,
        )
        return certificate, Point(after)

    def measured(self, problem: Problem) -> tuple[Array, Array]:
        """e / t at the reference, or 1."""
        one = jnp.ones((), common.judged_dtype(problem))
        reference = problem.reference_point()
        if reference is None:
            return one, 0 * one
        bare = ProxStep(None, one)
        value, slack, _, _ = _residual(problem, reference, bare)
        L, t = problem.facts().L, _step(problem, one.dtype)
        share = 1 if L is None else 1 + t * jnp.asarray(L, one.dtype)
        scale = common.usable(value / share, slack / share)
        return scale, slack / scale

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One value, gradient and prox; where a screen passes, one gradient more."""
        return {"value": 1, "grad": 1, "prox": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without a prox."""
        return refuse_without("prox", problem, f"{self.name} needs the oracle prox")


def _step(problem: Problem, dtype: Any) -> Array:
    return jnp.asarray(problem.residual_step(), dtype)


def _residual(problem: Problem, point: Point, ready: ProxStep):
    judged, at = common.lift(problem, point)
    x, size = at.x, problem.size()
    dtype = tree.dtype(x)
    t = _step(judged, dtype)
    L = judged.facts().L
    factor = 1 / t if L is None else 1 / t + jnp.asarray(L, dtype)
    label = common.provenance(judged.grad, x)
    # Without a screen one pass gives the gradient and its error.
    known = common.judge(judged.grad, x) if ready.screen is None else None
    g = judged.grad(x) if known is None else known.value
    forward = tree.axpy(-t, g, x)
    exact = judged.prox(forward, t)
    after = tree.cast(exact, tree.dtype(point.x))
    wide = tree.cast(after, dtype)
    value = factor * tree.norm(tree.sub(x, wide))

    def full():
        error = (known or common.judge(judged.grad, x)).error
        # The prox is modelled as exact up to gam(n + 8) of its argument and result;
        # the cast to a narrower dtype is charged in full.
        moved = tree.norm(tree.sub(exact, wide))
        rough = gam(size + 8, dtype) * (
            tree.norm(forward) + tree.norm(x) + tree.norm(wide) + t * tree.norm(g)
        )
        e = common.norm_slack(tree.norm(g), error, size)
        return 1.01 * (e + factor * (moved + rough)) + gam(size + 8, dtype) * value

    value = common.where_defined(judged, wide, value)
    passes = common.below(ready.screen, value, ready.scale)
    slack = common.screened(passes, lambda: value / 2, full)
    return value, slack, label, after
