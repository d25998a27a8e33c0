"""The duality gap of adversarial ReLU training, for the network that a point is.

With a perturbation d_k of every row, |d_k| <= eps, multipliers l_i >= 0 of the cones
and o_i with |o_i| <= eps sum_k l_ik, let q_i = +-sum_k th_k D_i[k] (x_k + d_k) and
r_i = q_i + M_i'l_i + o_i. If ||r_i|| <= beta for every group, f* is at least
-sum_k (th_k^2 / 2 - th_k y_k): fixed perturbations and fixed faces of the cones only
enlarge the program. A network with units x_i loses, under the worst perturbation, at
most R_k^2 / 2 at sample k, where

    R_k = |z_k - y_k| + eps ||c_k||_1 + sum_i e_ik,  e_i = (eps ||x_i||_1 - M_i x_i)_+,

e_ik being what the unit's sign change may add. With th_k = -s sign(z_k - y_k) R_k,

    worst network(x) - f* <= sum_k [(R_k - |th_k|)^2 / 2
                                    + |th_k| (eps ||c_k||_1 -+ <d_k, c_k> + sum_i e_ik)]
        + sum_i [beta ||x_i|| - <x_i, r_i> + <(M_i x_i - eps ||x_i||_1)_+, l_i>
                 + eps ||x_i||_1 sum_k l_ik + <x_i, o_i>],

all brackets >= 0.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.checks import evaluation
from banach.checks.refusals import refuse_unless
from banach.core import tree
from banach.core.check import Certificate, Check, single
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, outside
from banach.parts.polyhedral_projection import cone_multipliers
from banach.terms.groups import GroupL2

Scalar = Float[Array, ""]


class Witness(NamedTuple):
    """Perturbations (n, d), parts of the 1-norms (2, P, d), multipliers (2, P, n)."""

    attack: Array
    box: Array
    cones: Array


class Bound(NamedTuple):
    """A bound, its slack and where its witness came from."""

    value: Scalar
    slack: Scalar
    offered: Array


class RobustReluGap(Check):
    """Worst-case network(x) - f* of the program with the problem's patterns; a bound.

    The witness of its own takes the worst perturbation at x and projects on each cone
    with the signs of x; it is tight only where no coordinate of the slopes vanishes.
    An offered dual (attack, box, cones) is clipped into its domain and re-evaluated.
    The scale is the objective at zero.

    Args:
        scale: a number > 0 that the gap is relative to; None: the objective at zero.

    Source: Bai, Gautam and Sojoudi (2023), section 4; the dual is derived here.

    Example:
        >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> y = np.array([0.0, 1.0, 3.0])
        >>> net = bn.RobustConvexRelu(X, y, beta=0.1, eps=0.05, patterns=4)
        >>> verdict = bn.verify(
        ...     bn.solve(net, max_steps=200), check=bn.RobustReluGap()
        ... )
        >>> verdict.certified, verdict.certificate.grade
        (False, 'bound')
    """

    name: ClassVar[str] = "robust_relu_gap"

    scale: Any = None

    def __check_init__(self):
        evaluation.read(self, scale="positive")

    def __call__(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The smaller of the bounds of the own and of the offered witness."""
        ready = self if self.scale is not None else self.prepared(problem)
        point = Point(evaluation.settled(jnp.asarray(point.x)), point.dual)
        judged, at = evaluation.lift(problem, point)
        near = _Near(judged, at.x)
        best = near.bound(near.own(), 0)
        offer = _offer(at.dual, near)
        if offer is not None:
            other = near.bound(offer, 1)
            take = other.value + other.slack <= best.value + best.slack
            take &= tree.all_finite(offer)
            best = jax.tree.map(lambda a, b: jnp.where(take, a, b), other, best)
        lost = jnp.any(jnp.isnan(near.R))
        certificate = single(
            problem.quantity,
            jnp.where(lost, jnp.nan, best.value),
            best.slack,
            ready.scale,
            grade="bound",
            assumes=evaluation.declared(problem, "convex"),
            look=look,
            witness=best.offered,
            scale_from="reference",
        )
        return certificate, point

    def prepared(self, problem: Problem) -> "RobustReluGap":
        """With the objective at zero."""
        judged, at = evaluation.lift(problem, problem.reference_point())
        near = _Near(judged, at.x)
        zero = jnp.all(near.R == 0)
        return RobustReluGap(evaluation.null_scale(judged.objective(at.x), zero))

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """Two bounds and a projection on each cone, counted as splits."""
        return {"split": 60, "value": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems of another kind."""
        fits = problem.default_check() == self.name
        return refuse_unless(fits, problem, f"{self.name} judges bn.RobustConvexRelu")


def _offer(dual: Any, near: "_Near") -> Witness | None:
    like = {"attack": near.X, "box": near.x, "cones": near.inside}
    if not isinstance(dual, dict) or set(dual) != set(like):
        return None
    if any(jnp.shape(dual[k]) != v.shape for k, v in like.items()):
        return None
    if not all(jnp.issubdtype(jnp.result_type(v), jnp.floating) for v in dual.values()):
        return None
    return Witness(**{k: jnp.asarray(v, near.x.dtype) for k, v in dual.items()})


class _Near:
    """What is known at one point: worst residuals, their error, place in the cones."""

    def __init__(self, problem: Problem, x: Array):
        plain = problem.plain
        self.problem, self.plain, self.x, dtype = problem, plain, x, x.dtype
        self.X, self.y = jnp.asarray(plain.X, dtype), jnp.asarray(plain.y, dtype)
        self.eps = jnp.asarray(problem.eps, dtype)
        d, self.groups = self.X.shape[1], x.shape[0] * x.shape[1]
        masks = jnp.asarray(plain.masks).astype(dtype)
        self.masks = masks
        z = plain.outputs(x)
        self.side = jnp.where(z >= self.y, 1, -1).astype(dtype)
        self.c = problem.slopes(x)
        size = jnp.sum(jnp.abs(x), axis=-1, keepdims=True)
        self.size, cones = size, plain.cones(x)
        self.inside = jnp.maximum(cones - self.eps * size, 0)
        over = jnp.maximum(self.eps * size - cones, 0)
        self.E = jnp.sum(over, axis=(0, 1))
        self.R = jnp.abs(z - self.y) + self.eps * jnp.sum(jnp.abs(self.c), axis=1)
        self.R = self.R + self.E
        # One product with a row, its 1-norm, and the sums over groups.
        reach = jax.vmap(tree.norm)(self.X) * (1 + 4 * gam(d + 8, dtype))
        reach = reach * jax.vmap(jax.vmap(tree.norm))(x)[..., None] + self.eps * size
        tiny = 4 * (d + self.groups) * least(dtype) * (1 + self.eps)
        self.e_in = 1.01 * gam(d + 8, dtype) * reach + tiny
        total = jnp.sum(reach, axis=(0, 1)) + jnp.abs(self.y)
        self.e_R = 4.1 * gam(d + self.groups + 16, dtype) * total + self.groups * tiny

    def own(self) -> Witness:
        """The worst perturbation at x, and projections with the signs of x."""
        attack = self.eps * self.side[:, None] * jnp.sign(self.c)
        q = self.pulled(attack)
        turned = jnp.where(self.x == 0, jnp.sign(q), jnp.sign(self.x))
        M = self.plain.cone_matrix(self.x) - self.eps * turned[..., None, :]
        dual = jax.vmap(jax.vmap(cone_multipliers))(q, M)
        box = -self.eps * jnp.sum(dual, axis=-1, keepdims=True) * turned
        return Witness(attack, box, dual)

    def pulled(self, attack: Array) -> Array:
        """q at th = -side R."""
        th = -self.side * self.R
        q = _times(self.masks * th, self.X)
        q = q + _times(self.masks, th[:, None] * attack)
        return jnp.stack([q, -q])

    def bound(self, given: Witness, offered: int) -> Bound:
        """Value and slack of the bound that a witness gives."""
        x, eps, dtype = self.x, self.eps, self.x.dtype
        n, d = self.X.shape
        dual = jnp.maximum(given.cones, 0)
        attack = jnp.clip(given.attack, -eps, eps)
        # Rounded down, so that the exact sum allows it.
        limit = (
            eps * jnp.sum(dual, axis=-1, keepdims=True) * (1 - 2 * gam(n + 8, dtype))
        )
        box = jnp.clip(given.box, -limit, limit)
        r = self.pulled(attack) + self.plain.cones_adjoint(dual) + box
        rough = _times(self.R, jnp.abs(self.X) + eps) + _times(dual, jnp.abs(self.X))
        e_r = 1.01 * gam(n + 12, dtype) * (rough + limit)
        e_r = e_r + 4 * n * least(dtype)
        order = np.arange(self.groups).reshape(*x.shape[:2], 1)
        term = GroupL2(
            jnp.asarray(self.plain.beta, dtype),
            np.broadcast_to(order, x.shape), self.groups,
        )  # fmt: skip
        s = term.dual_scale(r, e_r)
        norms, n_slack = term.fenchel_young(x, s * r, s * e_r)
        th, left = s * self.R, (1 - s) * self.R
        turn = self.side[:, None] * jnp.sign(self.c) * attack
        idle = jnp.sum(jnp.abs(self.c) * (eps - turn), axis=1) + self.E
        faces = jnp.abs(x) * (limit + box * jnp.sign(x))
        value = (
            jnp.sum(jnp.square(left)) / 2 + jnp.vdot(th, idle) + norms
            + s * (jnp.sum(self.inside * dual) + jnp.sum(faces))
        )  # fmt: skip
        moved = left * self.e_R + jnp.square(self.e_R) / 2 + 2 * th * self.e_R
        lost = 3 * gam(n + 8, dtype) * jnp.sum(jnp.abs(x) * limit)
        slack = jnp.sum(moved) + n_slack + s * (jnp.sum(self.e_in * dual) + lost)
        slack = 1.01 * slack + gam(n * (self.groups + d) + 16, dtype) * value
        far = jnp.sum(idle) + jnp.sum(jnp.abs(x)) + jnp.sum(th) * jnp.sum(abs(self.c))
        slack = slack + 8 * least(dtype) * (n * (self.groups + d) + far)
        # Of data that are read as 0 nothing is known.
        slack = jnp.where(outside(self.problem), jnp.inf, slack)
        return Bound(value, slack, jnp.asarray(offered, jnp.int32))


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)
