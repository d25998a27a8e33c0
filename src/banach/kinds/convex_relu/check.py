"""The duality gap of a convex ReLU program, for the network that a point is.

For th in the domain of the losses' conjugates, q_i = +-X' D_i th, any l_i >= 0 and
r_i = q_i + M_i'l_i with M_i = (2 D_i - 1) X and ||r_i|| <= beta for every group, no
feasible point of the program is below

    f* >= - sum_k l_k*(-th_k),

because the largest <q, x> over the cone and the unit ball is the least ||q + M'l||
over l >= 0. Any x of the program's shape is a network with hidden units x_i, whose
predictions are z = sum_i +-relu(X x_i) = sum_i +-(D_i X x_i + e_i), e_i = (-M_i x_i)_+.
With the objective of that network itself,

    network(x) - f* <= sum_k [l_k(z_k) + l_k*(-th_k) + th_k z_k]
                       + sum_i [beta ||x_i|| - <x_i, r_i> + <(M_i x_i)_+, l_i>]
                       + sum_i <e_i, |th|>.

Every bracket is >= 0 and computed without cancellation; all vanish at a solution.
th = -l'(z), shrunk together with l until the groups fit.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.checks import evaluation
from banach.checks.gap import offered
from banach.checks.refusals import refuse_unless
from banach.checks.scales import Scaled
from banach.core import tree
from banach.core.check import Certificate, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, outside
from banach.kinds.convex_relu.problem import ConvexRelu
from banach.parts.polyhedral_projection import cone_multipliers
from banach.terms.groups import GroupL2

Scalar = Float[Array, ""]


class Bound(NamedTuple):
    """A bound, its slack, the multipliers behind it and where they came from."""

    value: Scalar
    slack: Scalar
    dual: Array | None
    offered: Array


class ReluGap(Scaled):
    """network(x) - f* of the program with the problem's patterns; a bound.

    The network's own objective is evaluated, relu of every unit: a point outside the
    cones gains nothing. The quantity names the program: with all patterns f* is the
    least over all two-layer networks, with some it is the least over those patterns
    only, and a network may be below it. The scale is the objective at zero.

    The check finds multipliers of its own by projecting on each cone; an offered
    Point.dual, l >= 0 of shape (2, P, n), is re-evaluated and taken where it is
    better. The former cost hundreds of times as much: a run whose offers are finite
    finds them at its looks 1, 2, 4, 8, ... only.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Pilanci and Ergen, Neural networks are convex regularizers, ICML (2020).

    Example:
        >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> y = np.array([0.0, 1.0, 3.0])
        >>> net = bn.ConvexRelu(X, y, beta=0.1, patterns="all")
        >>> verdict = bn.verify(bn.solve(net), check=bn.ReluGap())
        >>> verdict.certified, verdict.certificate.quantity
        (True, 'network(x)-f* (all 6 patterns)')
    """

    name: ClassVar[str] = "relu_gap"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The smaller of the bounds of the own and of the offered multipliers."""
        best = _look(problem, point, self.screen is not None, look)
        certificate = single(
            problem.quantity,
            best.value,
            best.slack,
            self.scale,
            grade="bound",
            assumes=evaluation.declared(problem, "convex"),
            look=jnp.asarray(look, jnp.int32) + 1,
            witness=best.offered,
            scale_from="reference",
        )
        x = evaluation.settled(jnp.asarray(point.x))
        return certificate, Point(x, tree.cast(best.dual, tree.dtype(point.x)))

    def measured(self, problem: Problem) -> tuple[Scalar]:
        """F at zero."""
        judged, at = evaluation.lift(problem, problem.reference_point())
        near = _Near(judged, at.x)
        zero = jnp.all(judged.loss.exact_zero(near.z, near.y))
        return (evaluation.null_scale(judged.objective(at.x), zero),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """The products with X of one offered bound, counted as splits."""
        return {"split": 4, "value": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems that are not a program over activation patterns."""
        fits = isinstance(problem, ConvexRelu)
        return refuse_unless(fits, problem, f"{self.name} judges bn.ConvexRelu")


def _look(problem: Problem, point: Point, in_run: bool, look: Any) -> Bound:
    x = evaluation.settled(jnp.asarray(point.x))
    judged, at = evaluation.lift(problem, Point(x, point.dual))
    near = _Near(judged, at.x)
    offer = offered(at.dual, near.inside)
    if near.inside.shape[-1] == 0:
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

        count = jnp.asarray(look, jnp.int32) + 1
        due = (count & (count - 1)) == 0
        best = jax.lax.cond(good & ~due, lambda: other, both) if in_run else both()
    # Where z holds NaN so does the objective: no number bounds it.
    lost = jnp.any(jnp.isnan(near.z))
    return best._replace(value=jnp.where(lost, jnp.nan, best.value))


class _Near:
    """What is known at one point: predictions, their error, its place in the cones."""

    def __init__(self, problem: Problem, x: Array):
        self.problem, self.x = problem, x
        self.X = jnp.asarray(problem.X, x.dtype)
        self.y = jnp.asarray(problem.y, x.dtype)
        self.z = problem.network_outputs(x)
        d = self.X.shape[1]
        self.groups = x.shape[0] * x.shape[1]
        rows = jax.vmap(tree.norm)(self.X) * (1 + 4 * gam(d + 8, x.dtype))
        reach = jax.vmap(jax.vmap(tree.norm))(x)[..., None] * rows
        tiny = 2 * d * least(x.dtype)
        live = (rows > 0) & (jax.vmap(jax.vmap(tree.max_abs))(x)[..., None] > 0)
        each = 1.01 * gam(d + 4, x.dtype) * reach + jnp.where(live, tiny, 0)
        sums = gam(self.groups + 2, x.dtype) * jnp.sum(reach, axis=(0, 1))
        self.e_z = 1.01 * (jnp.sum(each, axis=(0, 1)) + sums)
        self.th = problem.loss.repair(-problem.loss.derivative(self.z, self.y), self.y)
        self.q = problem.outputs_adjoint(self.th)
        self.inside = problem.cones(x)
        self.e_inside = each if self.inside.shape[-1] else self.inside

    def own(self) -> Array:
        """The multipliers of the projections of q on the cones."""
        M = self.problem.cone_matrix(self.x)
        one_sign = jax.vmap(cone_multipliers)
        return jax.vmap(lambda q: one_sign(q, M))(self.q)

    def bound(self, dual: Array | None, offered: int) -> Bound:
        """Value and slack of the bound that th and these multipliers give."""
        problem, x, dtype = self.problem, self.x, self.x.dtype
        n = self.X.shape[0]
        held = jnp.zeros_like(self.inside) if dual is None else dual
        # What a sample weighs: th, and the multipliers where there are cones.
        size = jnp.abs(self.th)
        whole = size + held if held.shape[-1] else size
        r = self.q + problem.cones_adjoint(held)
        off = gam(n + 8, dtype) * whole + problem.loss.dual_error(self.th, self.y)
        off = off + 2 * least(dtype)
        reach = jnp.matmul(off, jnp.abs(self.X), precision=tree.PRECISION)
        e_r = jnp.broadcast_to(1.01 * reach + 2 * n * least(dtype), x.shape)
        order = np.arange(self.groups).reshape(*x.shape[:2], 1)
        labels = np.broadcast_to(order, x.shape)
        term = GroupL2(jnp.asarray(problem.beta, dtype), labels, self.groups)
        s = term.dual_scale(r, e_r)
        norms, n_slack = term.fenchel_young(x, s * r, s * e_r)
        losses, rough = problem.loss.fenchel_young(
            self.z, s * self.th, self.y, self.e_z
        )
        value, slack = jnp.sum(losses) + norms, jnp.sum(rough) + n_slack
        if held.shape[-1]:
            into, out = jnp.maximum(self.inside, 0), jnp.maximum(-self.inside, 0)
            value = value + s * (jnp.sum(into * held) + jnp.sum(out * size))
            slack = slack + s * jnp.sum(self.e_inside * (held + whole))
        slack = 1.01 * slack + gam(n * self.groups + 16, dtype) * value
        slack = slack + 8 * n * (self.groups + 1) * least(dtype)
        # Of data that are read as 0 nothing is known.
        slack = jnp.where(outside(problem), jnp.inf, slack)
        new = None if dual is None else s * dual
        return Bound(value, slack, new, jnp.asarray(offered, jnp.int32))
