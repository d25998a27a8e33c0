"""The gap of entropic transport, from a plan rounded to the exact marginals."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.checks import evaluation
from banach.checks.scales import Scaled
from banach.core import tree
from banach.core.check import Certificate, Part
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.rounding import gam, least, outside
from banach.parts import transport_newton
from banach.parts.transport_cost import both_sums, row_sums

Scalar = Float[Array, ""]
QUANTITY = "primal - dual of entropic transport"
_CELLS = 2**17  # of a block: a megabyte an array
_SMALL = 0.01


class TransportGap(Scaled):
    """How far the potentials, and a plan made from them, are from optimal.

    The plan P of the potentials is rounded to one, Q, with the marginals a and b
    (Altschuler, Weed and Rigollet, 2017). Then, exactly,

    primal(Q) - dual(f, g) = eps sum (Q log(Q / P) - Q + P),

    a sum of nonnegative terms, each computed without cancellation: a bound of both
    suboptimalities, and ||Q - P*||_1 <= sqrt(2 gap sum(a) / eps). Q's own marginal
    errors, a few roundings, are charged with the sizes of the potentials and the
    cost. The gap is relative to <|C - u - v'|, a b'> / sum a, the cost centred by rows
    and columns: constants in the cost move no plan. Two more parts are ||P 1 - a||_1
    and ||P' 1 - b||_1, relative to the mass. The point returned is the one judged: the
    same plan, its potentials shifted to equal sums.

    Every exponent (f_i + g_j - C_ij) / eps carries an absolute error of a few
    (|f_i + g_j| + |C_ij|) u / eps, which is charged: at very small eps no
    tolerance can be met, and the run ends `unverifiable`. `screen` is the ratio of
    the marginal parts above which the gap is not computed but put as their sum.

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: a number > 0 that the value is relative to; None: found from the problem,
            as said above.

    Source: Altschuler, Weed and Rigollet, Near-linear time approximation algorithms for
    optimal transport, NeurIPS (2017), algorithm 2.

    Example:
        >>> cost, a = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, 0.5])
        >>> plan = bn.solve(bn.Transport(cost, a, a, eps=0.5))
        >>> verdict = bn.verify(plan, check=bn.TransportGap())
        >>> verdict.certified, verdict.certificate.quantity
        (True, 'primal - dual of entropic transport')
    """

    name: ClassVar[str] = "transport"

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """Marginals first; the gap where they pass the screen."""
        return certified(self, problem, point, look, QUANTITY, Eye.gap)

    def measured(self, problem: Problem) -> tuple[Scalar]:
        """<|C - u - v'|, a b'> / sum a."""
        return (typical(problem),)

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """Passes over the cost: one, and three more for the gap."""
        return {"plan": 1 if self.screen is not None else 4}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without a plan."""
        return without_plan(self.name, problem)


def typical(problem: Problem) -> Scalar:
    """<|C - u - v'|, a b'> / sum a, with u and v the means of rows and columns.

    The same of C itself where the centred cost is rounding, so that every plan costs
    the same; eps sum a where C is 0; and 0 where C only vanished.
    """
    judged, _ = evaluation.lift(problem, problem.reference_point())
    a, b = jnp.asarray(judged.a), jnp.asarray(judged.b)
    mass = jnp.sum(a)
    p, q = a / mass, b / jnp.sum(b)
    zero = jnp.zeros((), a.dtype)

    def means(block):
        weight = block.mask(block.pick(p) * jnp.ones_like(block.C))
        size = jnp.matmul(jnp.abs(block.C), q, precision=tree.PRECISION)
        own = jnp.matmul(block.C, q, precision=tree.PRECISION)
        big = jnp.max(jnp.abs(block.C), axis=1)
        return (own, size, big), jnp.sum(weight * block.C, axis=0)

    (u, size, big), v = judged.fold(means)
    whole, mean = jnp.vdot(p, size), jnp.vdot(p, u)

    def apart(block):
        away = jnp.abs(block.C - block.pick(u) - (v - mean))
        return jnp.matmul(away, q, precision=tree.PRECISION), zero

    value = jnp.vdot(p, judged.fold(apart)[0])
    rounds = 8 * gam(sum(judged.cost.shape) + 16, a.dtype)
    value = jnp.where(value > rounds * whole, value, whole)
    empty = judged.cost.vanished() == 0 and jnp.max(big) == 0
    return mass * jnp.where(empty, jnp.asarray(judged.eps), value)


def without_plan(name: str, problem: Problem) -> str | None:
    """The refusal of problems that have no plan."""
    if "plan" in problem.oracles():
        return None
    return (
        f"{name} needs the oracle plan, which {problem.kind} lacks; use "
        f"check='{problem.default_check()}'"
    )


def certified(
    ready: Any,
    problem: Problem,
    point: Point,
    look: Any,
    quantity: str,
    gap: Callable[["Eye", Array], tuple[Scalar, Scalar, Scalar]],
) -> tuple[Certificate, Point]:
    """The marginals, and a gap where they pass the screen of a prepared check."""
    x = evaluation.fixed(transport_newton.centred(jax.tree.map(jnp.asarray, point.x)))
    judged, at = evaluation.lift(problem, Point(x))
    eye = Eye(judged, at.x)
    scale, mass = jnp.asarray(ready.scale, eye.dtype), eye.mass

    r, c = judged.sums(at.x)
    total = jnp.sum(r)
    row, column = jnp.sum(jnp.abs(r - eye.a)), jnp.sum(jnp.abs(c - eye.b))

    def full():
        value, slack, moved = gap(eye, r)
        apart = eye.known(1.02 * (moved + eye.g * (total + mass)) + eye.tiny)
        return value, slack, apart + eye.g * row, apart + eye.g * column

    def cheap():
        value = scale * (row + column) / mass
        return value, value / 8, row / 8, column / 8

    passes = None
    if ready.screen is not None:
        screen = jnp.asarray(ready.screen, eye.dtype)
        passes = jnp.maximum(row, column) <= screen * mass
    value, slack, row_slack, column_slack = evaluation.screened(passes, cheap, full)
    value, slack = _bounded(total, value, slack)
    row, row_slack = _bounded(total, row, row_slack)
    column, column_slack = _bounded(total, column, column_slack)
    certificate = Certificate(
        (
            Part("gap", value, slack, scale),
            Part("rows", row, row_slack, mass),
            Part("columns", column, column_slack, mass),
        ),
        quantity,
        "bound",
        rounding="modelled",
        delta=jnp.zeros((), eye.dtype),
        look=jnp.asarray(look, jnp.int32),
        witness=jnp.asarray(0, jnp.int32),
    )
    return certificate, Point(x)


class Rounded(NamedTuple):
    """Q = P (1 + x) (1 + y) + left share', which has the marginals a and b."""

    x: Array
    y: Array
    left: Array
    share: Array

    def plan(self, block: Any, P: Array) -> tuple[Array, Array, Array]:
        """Q at some rows; and by what, relative to P, and absolutely, it differs."""
        x, added = block.pick(self.x), block.pick(self.left) * self.share
        Q = block.mask(P * (1 + x) * (1 + self.y) + added)
        return Q, x + self.y + x * self.y, added


class Eye:
    """A look at one point: passes over the cost, a block of rows at a time."""

    def __init__(self, problem: Any, x: Any):
        self.problem, self.x = problem, x
        self.dtype = x[0].dtype
        self.a, self.b = jnp.asarray(problem.a), jnp.asarray(problem.b)
        self.eps = jnp.asarray(problem.eps)
        self.mass = jnp.sum(self.a)
        m, n = problem.cost.shape
        self.u = float(jnp.finfo(self.dtype).eps) / 2
        # A sum of rows or columns, the product of a, b and exp, and exp's own error.
        self.g = gam(max(m, n) + 16, self.dtype)
        tiny = least(self.dtype)
        self.tiny = 8 * m * n * tiny
        # Of an entry of the cost, and of f + g - C.
        self.lost = problem.cost.vanished() + 4 * tiny
        low = _lightest(self.a) * _lightest(self.b)
        fine = math.sqrt(tiny) / (2 * self.u)
        # Squares of the mass, and products of masses, are normal numbers.
        inside = (low > tiny) & (self.mass > fine) & (self.mass < 1 / fine)
        self.blind = ~inside | outside(problem)

    def plan(self, block: Any) -> tuple[Array, Array, Array]:
        """P, the exponents s, and a bound on the relative error of P."""
        f, g = self.x
        pair = block.pick(f) + g
        s = (pair - block.C) / self.eps
        k = self.problem.cost.roundings()
        # Roundings of f + g, of its difference with C, of the quotient, and of C.
        e = self.u * ((jnp.abs(pair) + 1.01 * k * jnp.abs(block.C)) / self.eps)
        e = 1.02 * (e + 2 * self.u * jnp.abs(s) + self.lost / self.eps)
        P = block.pick(self.a) * self.b * jnp.exp(s)
        return block.mask(P), s, e

    def fold(self, part: Any, *more: Any) -> tuple[Any, Any]:
        """The problem's, in blocks that stay in a cache: a look computes much."""
        return self.problem.fold(part, *more, cells=_CELLS)

    def rounded(self, r: Array) -> Rounded:
        """The plan of Altschuler, Weed and Rigollet, r = P 1; two passes.

        What is left of the mass is not spread where it is less than roundings.
        """
        one = jnp.ones((), self.dtype)
        dx = jnp.minimum((self.a - r) / jnp.where(r > 0, r, one), 0)

        def columns(block):
            return both_sums(self.plan(block)[0] * (1 + block.pick(dx)))

        c = self.fold(columns)[1]
        dy = jnp.minimum((self.b - c) / jnp.where(c > 0, c, one), 0)

        def rows(block):
            P = self.plan(block)[0] * (1 + block.pick(dx)) * (1 + dy)
            return row_sums(P), jnp.zeros((), self.dtype)

        left = jnp.maximum(self.a - self.fold(rows)[0], 0)
        right = jnp.maximum(self.b - c * (1 + dy), 0)
        size = jnp.sum(left)
        much = size > 4 * self.g * self.mass
        share = jnp.where(much, right / jnp.where(much, size, one), 0)
        return Rounded(dx, dy, left, share)

    def gap(self, r: Array) -> tuple[Scalar, Scalar, Scalar]:
        """eps KL(Q || P), the charges for what Q misses, and an error of sum P.

        Three more passes.
        """
        rounded = self.rounded(r)
        one = jnp.ones((), self.dtype)
        log_a, log_b = jnp.log(self.a), jnp.log(self.b)
        left, share = (jnp.where(v > 0, v, one) for v in (rounded.left, rounded.share))
        log_left, log_share = jnp.log(left), jnp.log(share)
        # Below, P has lost digits, or is lost.
        faint = float(jnp.finfo(self.dtype).tiny) * 2.0**60

        def compare(block):
            P, s, e = self.plan(block)
            Q, d, added = rounded.plan(block, P)
            gone = (added > 0) & (P < faint)
            # Q = P (1 + d), but for what is gone.
            d = jnp.where(gone, 0, d + added / jnp.where(P > 0, P, one))
            size = block.mask(Q * (e + self.g))

            def calm():
                # A relative error e of P moves a term by e |Q - P|.
                terms = P * _series(d)
                return terms, size * (1 + jnp.abs(d)) * jnp.abs(d) + self.g * terms

            def rough():
                log_P = block.pick(log_a) + log_b + s
                log_added = block.pick(log_left) + log_share
                # (1 + d) log(1 + d) is 0 at d = -1.
                log = jnp.log1p(jnp.where(d > -1, d, 0))
                log = jnp.where(gone, log_added - log_P, log)
                terms = jnp.where(gone, Q * log - Q + P, P * _phi(d, log))
                # A relative error of P is one of Q too, and d is as uncertain.
                apart = Q + P + Q * jnp.abs(log)
                moved = jnp.where(
                    gone | (d > 1), apart, P * jnp.abs(d) * (1 + jnp.abs(d))
                )
                long = jnp.where(gone, Q * (jnp.abs(log_P) + jnp.abs(log_added)), 0)
                off = moved * (e + self.g) + self.g * (terms + long)
                return block.mask(terms), block.mask(off)

            small = jnp.all(~gone & (jnp.abs(d) < _SMALL))
            terms, off = jax.lax.cond(small, calm, rough)
            r, c = both_sums(Q)
            rest = (row_sums(v) for v in (terms, off, size, P * e))
            biggest = jnp.max(jnp.abs(block.C)) + jnp.zeros_like(r)
            return (r, *rest, biggest), c

        (r, terms, off, size, moved, biggest), c = self.fold(compare)
        f, g = self.x
        # |f*| + |g*|: each varies at most like C, some f_i + g_j reach C_ij - eps log
        # of the mass from either side, and equal sums give the means one sign.
        optimal = 9 * jnp.max(biggest) + self.eps * jnp.abs(jnp.log(self.mass))
        steep = jnp.max(jnp.abs(f)) + jnp.max(jnp.abs(g)) + optimal
        missed = jnp.sum(jnp.abs(r - self.a)) + jnp.sum(jnp.abs(c - self.b))
        value = self.eps * jnp.sum(terms)
        slack = self.eps * (jnp.sum(off) + self.g * jnp.sum(terms))
        off = missed + 2 * jnp.sum(size) + 4 * self.g * self.mass + self.tiny
        slack = 1.05 * (slack + steep * off) + self.tiny * (1 + self.eps)
        return value, self.known(slack), jnp.sum(moved)

    def known(self, slack: Scalar) -> Scalar:
        """The slack, infinite where the data are outside the range of products."""
        return jnp.where(self.blind, jnp.inf, slack)


def _bounded(total: Scalar, value: Scalar, slack: Scalar) -> tuple[Scalar, Scalar]:
    """Infinite, and nothing to add to that, where the total overflows.

    Potentials of a larger eps do so; it is no NaN, and no fault of the rounding.
    """
    over = jnp.isposinf(total)
    return jnp.where(over, total, value), jnp.where(over, 0, slack)


def _lightest(mass: Array) -> Scalar:
    """The least mass that is not 0."""
    return jnp.min(jnp.where(mass > 0, mass, jnp.inf))


def _phi(d: Array, log: Array) -> Array:
    """(1 + d) log(1 + d) - d, by its series near 0."""
    small = jnp.abs(d) < _SMALL
    return jnp.where(small, _series(jnp.where(small, d, 0)), (1 + d) * log - d)


def _series(d: Array) -> Array:
    """The same for |d| < 0.01."""
    total = jnp.zeros_like(d)
    for k in range(9, 1, -1):
        total = 1 / (k * (k - 1)) - d * total
    return d * d * total
