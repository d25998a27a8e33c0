"""The duality gap of a convex ReLU program, at a point moved into the cones.

For th in the domain of the losses' conjugates, q_i = +-X' D_i th, any l_i >= 0 and
r_i = q_i + X'(2 D_i - 1) l_i with ||r_i|| <= beta for every group, every solution x*
satisfies, with M_i = (2 D_i - 1) X,

    F(x) - F(x*) <= sum_k [l_k(z_k) + l_k*(-th_k) + th_k z_k]
                    + sum_i [beta ||x_i|| - <x_i, r_i> + <M_i x_i, l_i>],

because the largest <q, x> over the cone and the unit ball is the least ||q + M'l||.
Every bracket is >= 0 where x is in the cones and is computed without cancellation.
th = -l'(z), shrunk with l until the groups fit. z is that of the network itself.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.checks import common
from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.parts.cone import cone_multipliers
from banach.parts.groups import GroupL2
from banach.parts.term import gam

Scalar = Float[Array, ""]
# A look may skip its own multipliers where an offer is this far from the tolerance.
_FAR = 1e3


class Bound(NamedTuple):
    """A bound, its slack, the multipliers behind it and where they came from."""

    value: Scalar
    slack: Scalar
    dual: Array | None
    offered: Array


class ReluGap(Check):
    """f(x) - f* of the program with the problem's patterns; a bound, by construction.

    x is first moved into the interior of its cones; that point is certified and
    returned, and its network computes the very predictions that are judged. The
    quantity names the program: with all patterns f* is the least over all two-layer
    networks, with some it is the least over those patterns only. The scale is F(0).

    The check finds multipliers of its own by projecting on each cone; an offered
    Point.dual, l >= 0 of shape (2, P, n), is re-evaluated and taken where it is
    better. In a run the former, the dearer, are skipped where the latter are finite
    and still a thousand tolerances away.
    """

    name: ClassVar[str] = "relu_gap"

    screen: Any = None
    scale: Any = None
    base: Any = 0.0

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The smaller of the bounds of the own and of the offered multipliers."""
        ready = self if self.scale is not None else self.prepared(problem)
        best, at = _look(problem, point, ready.screen, ready.scale)
        certificate = single(
            f"f(x)-f* ({problem.program})",
            best.value,
            best.slack,
            ready.scale,
            grade="bound",
            assumes=common.declared(problem, "convex"),
            look=look,
            witness=best.offered,
        )
        return certificate, at

    def prepared(self, problem: Problem) -> "ReluGap":
        """With F at zero, and the slack there."""
        judged, at = common.lift(problem, problem.reference_point())
        F = judged.objective(at.x)
        scale = common.usable(F, jnp.zeros_like(F))
        near = _Near(judged, at.x)
        return ReluGap(self.screen, scale, near.bound(near.nothing(), 0).slack / scale)

    def floor(self) -> Any:
        """Slack at zero over the scale."""
        return self.base

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """Products with X that the repair and the offered bound need, as splits."""
        return {"split": 4, "value": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are not a program over activation patterns."""
        if "split" in problem.oracles() and "dual" in problem.oracles():
            return None
        return (
            f"{self.name} judges bn.ConvexRelu; for this {problem.kind} use "
            f"check='{problem.default_check()}'"
        )


def _look(
    problem: Problem, point: Point, screen: Any, scale: Scalar
) -> tuple[Bound, Point]:
    kind = tree.dtype(point.x)
    judged, at = common.lift(problem, Point(jnp.asarray(point.x), point.dual))
    # The room covers the rounding of the products, and of the cast that follows.
    moved = at.x
    for _ in range(3):
        # A thin cone moves its group far, which asks for more room.
        moved = judged.interior(at.x, 2 * _product_error(judged, moved, kind))
    after = tree.cast(moved, kind)
    x = tree.cast(after, at.x.dtype)
    near = _Near(judged, x)
    offer = _offer(at.dual, judged, x)
    if judged.gated:
        best = near.bound(None, 0)
    elif offer is None:
        best = near.bound(near.own(), 0)
    else:
        other = near.bound(jnp.maximum(offer, 0), 1)
        total = other.value + other.slack
        good = jnp.all(jnp.isfinite(offer)) & jnp.isfinite(total)

        def both() -> Bound:
            own = near.bound(near.own(), 0)
            take = good & (total <= own.value + own.slack)
            return jax.tree.map(lambda a, b: jnp.where(take, a, b), other, own)

        if screen is None:
            best = both()
        else:
            limit = _FAR * jnp.asarray(screen, total.dtype) * scale
            best = jax.lax.cond(good & (total > limit), lambda: other, both)
    # Where z holds NaN so does F(x): no number bounds it.
    lost = jnp.any(jnp.isnan(near.z))
    best = best._replace(value=jnp.where(lost, jnp.nan, best.value))
    return best, Point(after, tree.cast(best.dual, kind))


def _offer(dual: Any, problem: Problem, x: Array) -> Array | None:
    leaves = jax.tree.leaves(dual)
    shape = (*x.shape[:2], problem.X.shape[0])
    if problem.gated or len(leaves) != 1 or jnp.shape(leaves[0]) != shape:
        return None
    if not jnp.issubdtype(jnp.result_type(leaves[0]), jnp.floating):
        return None
    return jnp.asarray(leaves[0], x.dtype)


def _product_error(problem: Problem, x: Array, kind: Any) -> Array:
    """Bound of the error of <x_k, v_i>, rounded in the dtype `kind`; (signs, P, n)."""
    X = jnp.asarray(problem.X, x.dtype)
    d = X.shape[1]
    reach = jax.vmap(jax.vmap(tree.norm))(x)[..., None] * _row_norms(X)
    tiny = jnp.where(reach > 0, d * float(jnp.finfo(kind).tiny), 0)
    return 1.01 * gam(d + 4, kind) * reach + tiny


def _row_norms(X: Array) -> Array:
    return (1 + 4 * gam(X.shape[1] + 8, X.dtype)) * jax.vmap(tree.norm)(X)


class _Near:
    """What is known at one point: predictions, their error, its place in the cones."""

    def __init__(self, problem: Problem, x: Array):
        self.problem, self.x = problem, x
        self.X = jnp.asarray(problem.X, x.dtype)
        self.y = jnp.asarray(problem.y, x.dtype)
        self.z = problem.network_predict(x)
        each = _product_error(problem, x, x.dtype)
        groups = x.shape[0] * x.shape[1]
        rough = jax.vmap(jax.vmap(tree.norm))(x)[..., None] * _row_norms(self.X)
        sums = gam(groups + 2, x.dtype) * jnp.sum(rough, axis=(0, 1))
        self.e_z = 1.01 * (jnp.sum(each, axis=(0, 1)) + sums)
        self.th = problem.loss.repair(-problem.loss.derivative(self.z, self.y), self.y)
        self.q = problem.predict_adjoint(self.th)
        self.inside = problem.cones(x)
        self.e_inside = each if self.inside.shape[-1] else self.inside
        # A row of zeros, and a group of zeros, are inside exactly.
        self.feasible = jnp.all(self.inside >= self.e_inside)

    def nothing(self) -> Array:
        """No multipliers."""
        return jnp.zeros_like(self.inside)

    def own(self) -> Array:
        """The multipliers of the projections of q on the cones."""
        M = self.problem.cone_matrix(self.x)
        one_sign = jax.vmap(cone_multipliers)
        return jax.vmap(lambda q: one_sign(q, M))(self.q)

    def bound(self, dual: Array | None, offered: int) -> Bound:
        """Value and slack of the bound that th and these multipliers give."""
        problem, x, dtype = self.problem, self.x, self.x.dtype
        n, groups = self.X.shape[0], x.shape[0] * x.shape[1]
        held = self.nothing() if dual is None else dual
        r = self.q + problem.cones_adjoint(held)
        # Entry j of r sums n products: |X'| (|th| + l) times their roundings.
        weights = jnp.abs(self.th) + held if held.shape[-1] else jnp.abs(self.th)
        off = problem.loss.dual_error(self.th, self.y)
        reach = _times(gam(n + 8, dtype) * weights + off, jnp.abs(self.X))
        e_r = jnp.broadcast_to(1.01 * reach + n * float(jnp.finfo(dtype).tiny), x.shape)
        labels = np.broadcast_to(np.arange(groups).reshape(*x.shape[:2], 1), x.shape)
        term = GroupL2(jnp.asarray(problem.beta, dtype), labels, groups)
        s = term.dual_scale(r, e_r)
        norms, n_slack = term.fenchel_young(x, s * r, s * e_r)
        losses, rough = problem.loss.fenchel_young(
            self.z, s * self.th, self.y, self.e_z
        )
        value = jnp.sum(losses) + norms + s * jnp.sum(self.inside * held)
        slack = jnp.sum(rough) + n_slack + s * jnp.sum(self.e_inside * held)
        slack = 1.01 * slack + gam(n * groups + 16, dtype) * value
        value = jnp.where(self.feasible | jnp.isnan(value), value, jnp.inf)
        new = None if dual is None else s * dual
        return Bound(value, slack, new, jnp.asarray(offered, jnp.int32))


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)
