"""The optimality conditions of f(x) + g(x) + h(K x), at x and y."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.checks import evaluation
from banach.checks.refusals import refuse_without
from banach.checks.scales import Scaled, at_most_one, held_against, source
from banach.core import tree
from banach.core.check import Certificate, Part
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.rounding import gam, least, some

Scalar = Float[Array, ""]
_STATIONARY = "dist(0,grad f+dg+K'y)"
_COUPLED = "dist(Kx,dh*(y))"


class PrimalDual(Scaled):
    """Both inclusions of the saddle problem, where one step of its own ends.

    From x and the y that is offered (`Point.dual`, of the right shape and finite;
    else 0) the check makes, by the steps t and s of the problem,

        z = prox_h(K x + y/s, 1/s),  y+ = s (K x + y/s - z),  so that y+ is in dh(z)
        v = x - t (grad f(x) + K'y+),  x+ = prox_g(v, t),  (v - x+)/t in dg(x+)

    and returns (x+, y+), of which it says

        dist(0, grad f(x+) + dg(x+) + K'y+) <= ||(v - x+)/t + grad f(x+) + K'y+||
        dist(K x+, dh*(y+))                 <= ||K x+ - z||

    Nothing is assumed of L, ||K|| or the steps, which belong to the problem: bad ones
    make the bounds large, never false. y+ is meant up to the rounding of the prox,
    which the slack carries to both parts. The scales are those parts at the reference
    with y = 0: ||x - x+||/t of g and f alone, and the larger of ||K x+|| and its
    distance to prox_h(K x+, 1/s); without a reference min(1, those at x0). A part
    that is 0 there is absolute.

    A residual: where f + g + h(K .) is convex the zeros of both parts are the
    minimisers, but nothing is said of F(x) - F* or of the distance to one.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: what the first part is relative to; None: found from the problem.
        coupled: what the second is relative to; None: found with it.

    Source: Rockafellar, Convex Analysis (1970), theorem 31.3; Condat, A Primal-Dual
    Splitting Method (2013), equations 3 to 5.

    Example:
        >>> pull = bn.Structured(
        ...     lambda x: jnp.sum((x - 2.0) ** 2) / 2,
        ...     None,
        ...     bn.L1(0.5),
        ...     None,
        ...     np.zeros(2),
        ...     convex=True,
        ...     L=1.0,
        ... )
        >>> result = bn.solve(pull, check=bn.PrimalDual())
        >>> result.status, result.x.round(5), np.asarray(result.point.dual).round(5)
        ('certified', array([1.5, 1.5]), array([0.5, 0.5]))
    """

    name: ClassVar[str] = "primal_dual"

    coupled: Any = None

    def __check_init__(self):
        evaluation.read(self, coupled="positive")
        if (self.scale is None) != (self.coupled is None):
            raise Misuse("give both scale and coupled, or neither")

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Both parts at (x+, y+)."""
        judged, at = evaluation.lift(problem, point)
        kind = tree.dtype(point.x)
        step = one_step(judged, at, kind)
        traced = evaluation.Traced(judged.grad, step.x)
        label, scales = traced.rounding, (self.scale, self.coupled)
        first, second = step.parts(judged.grad(step.x))
        one = jnp.ones_like(first)
        worst = jnp.maximum(
            first / jnp.where(self.scale > 0, self.scale, one),
            second / jnp.where(self.coupled > 0, self.coupled, one),
        )
        if problem.reference_point() is None:
            worst = jnp.maximum(first, second)
        values, slacks = evaluation.screened(
            evaluation.below(self.screen, worst, one),
            lambda: ((first, second), (first / 2, second / 2)),
            lambda: step.charged(traced.judge()),
        )
        # A projection may pass over a bound that is no number.
        strange = some((judged.g, judged.h), jnp.isnan)
        bad = judged.undefined(step.x) | strange | ~step.whole
        parts = tuple(
            Part(
                name,
                jnp.where(bad, jnp.nan, v),
                e,
                held_against(problem, v, e, s, label),
                scale_from=source(problem),
            )
            for name, v, e, s in zip(
                (_STATIONARY, _COUPLED), values, slacks, scales, strict=True
            )
        )
        certificate = Certificate(
            parts,
            "KKT residual of the saddle problem",
            "residual",
            evaluation.believed("gradient", label) + evaluation.stopped(problem),
            label,
            False,
            jnp.zeros_like(first),
            jnp.asarray(look, jnp.int32),
            jnp.zeros((), jnp.int32),
        )
        return certificate, Point(step.x.astype(kind), step.y.astype(kind))

    def measured(self, problem: Problem) -> tuple[Scalar, Scalar]:
        """The parts at the reference or at x0, without y."""
        found = evaluation.lifted_reference(problem)
        judged, at = found or evaluation.lift(problem, problem.start())
        x, (t, s) = at.x, judged.steps()
        after = judged.prox(x - t * judged.grad(x), t)
        image = judged.forward(after)
        gap = tree.norm(image - judged.outer_prox(image, 1 / s))
        sizes = tree.norm(x - after) / t, jnp.maximum(tree.norm(image), gap)
        if found is None:
            return tuple(jnp.where(v > 0, at_most_one(v), 1) for v in sizes)  # type: ignore[return-value]
        plain = evaluation.ordinary(judged, x)
        k = 8 * gam(x.size + image.size + sum(judged.terms()) + 8, x.dtype)
        around = tree.norm(x) + tree.norm(after) + t * tree.norm(judged.grad(x))
        image = tree.norm(judged.absolute(jnp.abs(after)))
        rough = k * around / t, k * image
        return tuple(  # type: ignore[return-value]
            evaluation.usable(v, e, plain) for v, e in zip(sizes, rough, strict=True)
        )

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """A step, and its end; a gradient more where a screen passes."""
        outer = {"outer_prox": 1, "forward": 2, "adjoint": 2}
        return {"value": 1, "grad": 2, "prox": 1} | outer

    def refuses(self, problem: Problem) -> str | None:
        """Problems of another kind."""
        says = f"{self.name} needs the oracle outer_prox"
        return refuse_without("outer_prox", problem, says)


def _offered(problem: Problem, y: Any) -> Array:
    """y where it may be one, else 0."""
    zero = jnp.asarray(problem.zero_dual())
    if not hasattr(y, "shape") or y.shape != zero.shape:
        return zero
    y = jnp.asarray(y, zero.dtype)
    return jnp.where(tree.all_finite(y), y, zero)


class Step(NamedTuple):
    """One step of the check in the judged dtype; x and y are the bits returned."""

    problem: Problem
    t: Scalar
    s: Scalar
    before: Array
    w: Array
    z: Array
    v: Array
    exact: tuple[Array, Array]
    x: Array
    y: Array
    whole: Bool[Array, ""]

    def parts(self, g: Array) -> tuple[Scalar, Scalar]:
        """The two norms, given grad f(x+)."""
        low = (self.v - self.x) / self.t + g + self.problem.adjoint(self.y)
        return tree.norm(low), tree.norm(self.problem.forward(self.x) - self.z)

    def charged(self, g: Any) -> tuple[tuple[Scalar, Scalar], tuple[Scalar, Scalar]]:
        """The same with the rounding of everything in it.

        A prox is modelled as exact up to gam(n + 8) of its argument and result; a
        cast moves x+ and y+ by what is seen.
        """
        problem, kind = self.problem, self.x.dtype
        n, m = self.x.size, self.w.size
        values = self.parts(g.value)
        tiny, u = least(kind), gam(1, kind)
        ahead, back = problem.terms()
        # z, and with it y+ = s (w - z), and the cast of y+.
        off_z = gam(m + 8, kind) * (tree.norm(self.w) + tree.norm(self.z))
        off_y = self.s * off_z + tree.norm(self.y - self.exact[1])
        off_y += 4 * u * tree.norm(self.y)
        # K'y+, entry by entry, and v and x+ as in the proximal step.
        error_back = gam(back + 2, kind) * problem.absolute_back(jnp.abs(self.y))
        error_back += 2 * tiny * (back + 1) * (2 + tree.max_abs(self.y))
        low = (self.v - self.x) / self.t
        moved = self.exact[0] - self.x
        bent = low * moved / jnp.where(self.exact[0] == 0, 1, self.exact[0])
        sizes = sum(tree.norm(v) for v in (self.v, self.before, self.x))
        sizes += tree.norm(self.v - self.before)
        off_x = (tree.norm(moved) + gam(n + 8, kind) * sizes) / self.t
        entries = g.error + error_back
        entries += 4 * u * (jnp.abs(g.value) + jnp.abs(low))
        entries += 4 * u * jnp.abs(problem.adjoint(self.y))
        first = evaluation.norm_slack(values[0], entries, n)
        first += 1.01 * (off_x + tree.norm(bent) + problem.bound() * off_y)
        size = problem.absolute(jnp.abs(self.x))
        entries = gam(ahead + 2, kind) * size + 2 * u * jnp.abs(self.z)
        entries += 2 * tiny * (ahead + 1) * (2 + tree.max_abs(self.x))
        second = evaluation.norm_slack(values[1], entries, m) + 1.01 * off_z
        return values, (first, second)


def one_step(problem: Problem, at: Point, kind: Any) -> Step:
    """One step from x and the offered y, its ends in the bits of `kind`."""
    x, y = at.x, _offered(problem, at.dual)
    t, s = problem.steps()
    w = problem.forward(x) + y / s
    z = problem.outer_prox(w, 1 / s)
    dual = s * (w - z)
    # Where y+ or x+ is no number, or overflowed, the point stays and is no answer.
    whole = tree.all_finite(dual)
    dual = jnp.where(whole, dual, y)
    y = evaluation.fixed(dual.astype(kind)).astype(dual.dtype)
    v = x - t * (problem.grad(x) + problem.adjoint(y))
    exact = problem.prox(v, t)
    whole = whole & tree.all_finite(exact)
    exact = jnp.where(tree.all_finite(exact), exact, x)
    after = evaluation.fixed(exact.astype(kind)).astype(exact.dtype)
    return Step(problem, t, s, x, w, z, v, (exact, dual), after, y, whole)
