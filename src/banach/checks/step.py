"""The residual of one proximal gradient step, judged where the step ends."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import common
from banach.checks.frame import Floored, based, refuse_without
from banach.core import tree
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.term import gam

QUANTITY = "dist(0,dF(x+))"


class ProxStep(Floored):
    """dist(0, dF(x+)) at x+ = prox(v, t), v = x - t grad f(x); x+ is what is returned.

    (v - x+) / t is a subgradient of the term at x+, whatever t is and whether or not
    the term is convex, so that

        dist(0, dF(x+)) <= ||(v - x+) / t + grad f(x+)||
                         = ||(x - x+) / t - (grad f(x) - grad f(x+))||.

    No Lipschitz constant is assumed: the gradient is looked at where the step ends.
    t belongs to the problem; a bad one makes the bound large, never false. At x itself
    the distance may be of order 1 while it is tiny at x+. The scale is ||x - x+|| / t
    at the reference.
    """

    name: ClassVar[str] = "step"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound, and x+."""
        step = _step(problem, point)
        label = common.provenance(step.judged.grad, step.wide)
        value, slack = common.behind(
            self.screen,
            self.scale,
            lambda: _bound(step, step.judged.grad(step.wide)),
            lambda: _charged(step),
            2,
        )
        certificate = single(
            QUANTITY,
            common.where_defined(step.judged, step.wide, value),
            slack,
            self.scale,
            grade="residual",
            assumes=common.believed("gradient", label) + common.stopped(problem),
            rounding=label,
            look=look,
        )
        return certificate, Point(step.after)

    def measured(self, problem: Problem) -> tuple[Array, Array]:
        """e / t at the reference, or 1."""
        one = jnp.ones((), common.judged_dtype(problem))
        found = common.lifted_reference(problem)
        if found is None:
            return one, 0 * one
        # In the judged dtype: a cast of x+ would be charged, and hide a small scale.
        step = _step(*found)
        error = common.judge(step.judged.grad, step.x).error
        value = tree.norm(tree.sub(step.x, step.wide)) / step.t
        slack = common.norm_slack(value, error, problem.size()) + _moved(step)
        return based(value, slack, common.ordinary(step.judged, step.x))

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """A value, two gradients and a prox; a gradient more where a screen passes."""
        return {"value": 1, "grad": 2, "prox": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without a prox."""
        return refuse_without("prox", problem, f"{self.name} needs the oracle prox")


class _Step(NamedTuple):
    judged: Problem
    x: PyTree
    t: Array
    g: PyTree
    v: PyTree
    exact: PyTree
    after: PyTree
    wide: PyTree


def _step(problem: Problem, point: Point) -> _Step:
    """The step from the point; `after` is x+ in the dtype that is returned."""
    judged, at = common.lift(problem, point)
    x, t = at.x, jnp.asarray(judged.residual_step(), tree.dtype(at.x))
    g = judged.grad(x)
    v = tree.axpy(-t, g, x)
    exact = judged.prox(v, t)
    after = common.fixed(tree.cast(exact, tree.dtype(point.x)))
    return _Step(judged, x, t, g, v, exact, after, tree.cast(after, tree.dtype(x)))


def _subgradient(step: _Step) -> PyTree:
    return tree.scale(1 / step.t, tree.sub(step.v, step.wide))


def _bound(step: _Step, end: PyTree) -> Array:
    """||(v - x+) / t + grad f(x+)||."""
    return tree.norm(tree.add(_subgradient(step), end))


def _charged(step: _Step) -> tuple[Array, Array]:
    """The bound with the rounding of everything in it."""
    end = common.judge(step.judged.grad, step.wide)
    value = _bound(step, end.value)
    size = step.judged.size()
    slack = common.norm_slack(tree.norm(end.value), end.error, size)
    return value, 1.01 * (slack + _moved(step)) + gam(size + 8, value.dtype) * value


def _moved(step: _Step) -> Array:
    """What the rounding of v, of the prox and of the cast does to the subgradient.

    The prox is modelled as exact up to gam(n + 8) of its argument and result. A cast
    to a narrower dtype moves x+ by d: a subgradient s of a set or an l1 norm by
    nothing, where a term is curved by about s d / x+, and (v - x+) / t by d / t.
    """
    dtype = step.t.dtype
    g = gam(tree.size(step.x) + 8, dtype)
    sizes = [tree.norm(v) for v in (step.v, step.x, step.wide)]
    rough = g * (sum(sizes) + step.t * tree.norm(step.g))
    d = tree.sub(step.exact, step.wide)
    curved = jax.tree.map(
        lambda s, d, x: s * d / jnp.where(x == 0, 1, x),
        _subgradient(step), d, step.exact,
    )  # fmt: skip
    return (tree.norm(d) + rough) / step.t + tree.norm(curved)
