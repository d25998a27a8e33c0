"""The residual of one proximal gradient step, judged where the step ends."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.checks import evaluation
from banach.checks.refusals import refuse_without
from banach.checks.scales import (
    Scaled,
    Sizes,
    at_most_one,
    component_parts,
    held_against,
    screen_scale,
    sizes,
    source,
)
from banach.checks.stationarity import of_parts
from banach.core import tree
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least

QUANTITY = "dist(0,dF(x+))"
_NAMES = (
    "max_j dist(0,dF(x+))_j/(|A|'|l'(null)|)_j",
    "dist(0,dF(x+))_j where (|A|'|l'(null)|)_j = 0: absolute",
    QUANTITY,
)


class ProxStep(Scaled):
    """dist(0, dF(x+)) at x+ = prox(v, t), v = x - t grad f(x); x+ is what is returned.

    (v - x+) / t is a subgradient of the term at x+, whatever t is and whether or not
    the term is convex, so that

        dist(0, dF(x+)) <= ||(v - x+) / t + grad f(x+)||
                         = ||(x - x+) / t - (grad f(x) - grad f(x+))||.

    No Lipschitz constant is assumed: the gradient is looked at where the step ends.
    t belongs to the problem; a bad one makes the bound large, never false. At x itself
    the distance may be of order 1 while it is tiny at x+. The scale is ||x - x+|| / t
    at the reference, or min(1, that at the problem's own x0).

    The components of a GLM carry the units of their columns: each is relative to its
    companion (|A|' w |l'|)_j at the null model, and absolute where that is 0. An
    absolute tolerance is of the 2-norm.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.
        sizes: what each component is relative to; None: found with the scale.

    Source: Beck, First-Order Methods in Optimization (2017), section 10.3.

    Example:
        >>> pull = bn.Composite(
        ...     lambda x: jnp.sum((x - 2.0) ** 2), bn.L1(1.0), np.zeros(2), L=2.0
        ... )
        >>> verdict = bn.verify(pull, np.array([1.5, 1.5]), check=bn.ProxStep())
        >>> print(verdict)
        certified: dist(0,dF(x+)), ratio 1.89e-14, tol 1e-06
          ...
    """

    name: ClassVar[str] = "step"

    sizes: Any = None

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The bound, and x+."""
        step = _step(problem, point)
        label = evaluation.provenance(step.judged.grad, step.wide)
        says = evaluation.believed("gradient", label) + evaluation.stopped(problem)
        if self.sizes is not None:
            parts = component_parts(
                _NAMES,
                self.sizes,
                self.screen,
                lambda: _distance(step, step.judged.grad(step.wide)),
                lambda: _each(step),
            )
            defined = tuple(
                dataclasses.replace(
                    p, value=evaluation.where_defined(step.judged, step.wide, p.value)
                )
                for p in parts
            )
            return of_parts(defined, says, label, look), Point(step.after)
        value, slack = evaluation.behind(
            self.screen,
            screen_scale(problem, self.scale),
            lambda: tree.norm(_distance(step, step.judged.grad(step.wide))),
            lambda: _charged(step),
            2,
        )
        certificate = single(
            QUANTITY,
            evaluation.where_defined(step.judged, step.wide, value),
            slack,
            held_against(problem, value, slack, self.scale, label),
            grade="residual",
            assumes=says,
            rounding=label,
            look=look,
            scale_from=source(problem),
        )
        return certificate, Point(step.after)

    def measured(self, problem: Problem) -> tuple[Array, Sizes | None]:
        """e / t at the reference, or min(1, that at x0); or companions."""
        found = sizes(problem)
        if found is not None:
            return jnp.ones((), evaluation.judged_dtype(problem)), found
        reference = evaluation.lifted_reference(problem)
        # In the judged dtype: a cast of x+ would be charged, and hide a small scale.
        step = _step(*(reference or evaluation.lift(problem, problem.start())))
        value = tree.norm(tree.sub(step.x, step.wide)) / step.t
        if reference is None:
            return at_most_one(value), None
        error = evaluation.judge(step.judged.grad, step.x).error
        slack = evaluation.norm_slack(value, error, problem.size()) + _moved(step)
        plain = evaluation.ordinary(step.judged, step.x)
        return evaluation.usable(value, slack, plain), None

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
    judged, at = evaluation.lift(problem, point)
    x, t = at.x, jnp.asarray(judged.residual_step(), tree.dtype(at.x))
    g = judged.grad(x)
    # A number, or one for each component.
    v = jax.tree.map(lambda p, q: p - t * q, x, g)
    exact = judged.prox(v, t)
    after = evaluation.fixed(tree.cast(exact, tree.dtype(point.x)))
    return _Step(judged, x, t, g, v, exact, after, tree.cast(after, tree.dtype(x)))


def _subgradient(step: _Step) -> PyTree:
    return jax.tree.map(lambda p, q: (p - q) / step.t, step.v, step.wide)


def _distance(step: _Step, end: PyTree) -> PyTree:
    """(v - x+) / t + grad f(x+)."""
    return tree.add(_subgradient(step), end)


def _each(step: _Step) -> tuple[PyTree, PyTree]:
    """The same, and the rounding of every component.

    The prox of a coordinate is exact up to a few roundings of its argument and
    result; a cast moves x+ by d, see `_moved`. Where coordinates meet in the prox each
    is charged with the whole.
    """
    end = evaluation.judge(step.judged.grad, step.wide)
    value = _distance(step, end.value)
    k = gam(24, tree.dtype(step.x))
    whole = 0 if jnp.ndim(step.t) else _moved(step)

    def one(e, r, g, v, x, y, exact, s, total):
        t = jnp.broadcast_to(step.t, x.shape)
        rough = k * (jnp.abs(v) + jnp.abs(x) + jnp.abs(y) + t * jnp.abs(g))
        d = jnp.abs(exact - y)
        bent = jnp.abs(s * d / jnp.where(exact == 0, 1, exact))
        tiny = 4 * least(x.dtype)
        off = e + whole + (d + rough + tiny) / t + bent + k * (jnp.abs(r) + jnp.abs(s))
        return 1.01 * off + k * jnp.abs(total) + tiny

    error = jax.tree.map(
        one, end.error, end.value, step.g, step.v, step.x, step.wide, step.exact,
        _subgradient(step), value,
    )  # fmt: skip
    return value, error


def _charged(step: _Step) -> tuple[Array, Array]:
    """The bound with the rounding of everything in it."""
    end = evaluation.judge(step.judged.grad, step.wide)
    value = tree.norm(_distance(step, end.value))
    size = step.judged.size()
    slack = evaluation.norm_slack(tree.norm(end.value), end.error, size)
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
