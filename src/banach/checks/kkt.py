"""The Karush-Kuhn-Tucker conditions of a constrained problem."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.checks import common
from banach.checks.frame import Scaled, refuse_without
from banach.core import tree
from banach.core.check import Certificate, Part
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.parts import kkt
from banach.parts.term import gam, least

Scalar = Float[Array, ""]


class KKT(Scaled):
    """First-order conditions at x, with multipliers as the witness.

    With L = f + lam.c, P the projection onto the bounds, s = ||grad f(reference)||
    (1 without one) and u_i the size of row i, the parts and their scales are

        Lagrangian gradient    ||x - P(x - grad L(x, lam))||_2           of s
        equations              max |c_i| / u_i                           of 1
        inequalities           max max(c_i, 0) / u_i                     of 1
        complementarity        sum |lam_i c_i|, inequalities             of s
        multiplier growth      sum |lam_i| u_i sum |lam_i c_i| / s^2     of 1

    u_i is max(|c_i|, ||grad c_i||) at the reference. Without one it is the smaller of
    that at the problem's own x0 and at x: a start far away excuses nothing. No verdict
    sees the units of a row, or how often it is repeated: maxima and sums stay where
    they are when c_i becomes k c_i and lam_i becomes lam_i / k, and when a row shares
    its multiplier with its copies. A violation in natural units is what an absolute
    tolerance is of.

    A residual: nothing is said of f(x) - f* or of the distance to a solution, and
    maximisers and saddle points satisfy it too.

    x is first clipped to the bounds, and that x is returned. Multipliers of
    inequalities are clipped at 0 before anything is evaluated, so that their sign is
    right. lam is the better of the offered one (`Point.dual`, if it has the right
    shape and is finite) and one fitted here by least squares; it is returned with x,
    and printed with its norm. Nothing is ever divided by lam: with x^2 <= 0, where no
    multiplier exists, x = -1e-6 and lam = 5e5 make every other part tiny, and so it is
    at all points whose constraint gradients vanish together. What then stays large is
    the growth: a violation c moves the optimal value by lam c, and lam itself by
    about lam^2 c.
    """

    name: ClassVar[str] = "kkt"

    units: Any = None
    base: Any = 0.0
    wide: Any = 0.0

    def __check_init__(self):
        for name in ("base", "wide"):
            if getattr(self, name) is None:
                raise Misuse(f"{name} must be a real number, got None; leave it out")
        common.read(self, base=None, wide=None)

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The parts at x clipped to the bounds, and the multipliers used."""
        clipped = problem.clipped(point.x)
        judged, at = common.lift(problem, Point(clipped, point.dual))
        look_at = _At(judged, at.x, self)
        own = look_at.values(look_at.fit())
        offer, usable = look_at.offered(at.dual)
        if offer is None:
            best, taken = own, jnp.asarray(False)
        else:
            theirs = look_at.values(offer)
            taken = usable & (look_at.worst(theirs) <= look_at.worst(own))
            best = tree.where(taken, theirs, own)
        labels = look_at.labels(best.lam)
        worst = look_at.worst(best)
        passes = common.below(self.screen, worst, jnp.ones_like(worst))
        slacks, rough = common.screened(
            passes,
            lambda: (tuple(v / 8 for v in best.parts), look_at.nothing()),
            lambda: look_at.slacks(best),
        )
        broken = judged.undefined(at.x)
        parts = tuple(
            Part(name, jnp.where(broken, jnp.nan, v), e, s, look_at.bare(name, rough))
            for name, v, e, s in zip(
                look_at.names, best.parts, slacks, look_at.scales, strict=True
            )
        )
        certificate = Certificate(
            parts,
            "KKT residual",
            "residual",
            common.believed("gradient", labels[0])
            + common.believed("constraints", labels[1])
            + common.stopped(problem),
            "estimated" if "estimated" in labels else "modelled",
            False,
            jnp.zeros_like(worst),
            jnp.asarray(look, jnp.int32),
            jnp.asarray(taken, jnp.int32),
        )
        kind = tree.dtype(point.x)
        return certificate, Point(clipped, best.lam.astype(kind))

    def measured(self, problem: Problem) -> tuple[Array, Array, Array, Array]:
        """The gradient norm and its error, and the units of the rows."""
        dtype = common.judged_dtype(problem)
        one = jnp.ones((), dtype)
        scale, base = one, 0 * one
        reference = problem.reference_point()
        if reference is not None:
            judged, at = common.lift(problem, reference)
            value, slack, _ = common.grad_norm(judged, at.x, None, None)
            scale = common.usable(value, slack, common.ordinary(judged, at.x))
            base = jnp.where(scale == value, slack / jnp.where(value > 0, value, 1), 0)
        units, wide = jnp.ones(problem.rows(), dtype), 0 * one
        if problem.rows():
            units, wide = _sizes(problem, problem.start())
            if reference is not None:
                own, spread = _sizes(problem, reference)
                wide = jnp.maximum(wide, spread)
                units = jnp.where(own > 0, own, units)
            units = jnp.where(units > 0, units, 1).astype(dtype)
        return scale, units, base, wide

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One evaluation; where a screen passes, one gradient and product more."""
        return {"value": 1, "grad": 1, "constraints": 1, "jacobian": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without constraints of this form."""
        says = f"{self.name} judges problems with the oracle constraints"
        return refuse_without("constraints", problem, says)


def _sizes(problem: Problem, point: Point) -> tuple[Array, Array]:
    """max(|c_i|, ||grad c_i||), rounded down, and by what part it may be larger.

    0 where it is not finite or not above rounding.
    """
    judged, at = common.lift(problem, point)
    c = common.judge(judged.constraints, at.x)
    steep = jax.vmap(tree.norm)(judged.jacobian(at.x))
    size = jnp.maximum(jnp.abs(c.value) - c.error, steep)
    size = jnp.where(jnp.isfinite(size), jnp.maximum(size, 0), 0)
    high = jnp.maximum(jnp.abs(c.value) + c.error, steep)
    wide = jnp.where(size > 0, high / jnp.where(size > 0, size, 1) - 1, 0)
    return size, jnp.maximum(jnp.max(wide), 0)


class _Values(NamedTuple):
    lam: Float[Array, " m"]
    parts: tuple[Scalar, ...]


class _At(eqx.Module):
    """One point: everything that does not depend on the multipliers."""

    problem: Problem
    x: Any
    flat: Float[Array, " n"]
    bounds: tuple[Array, Array]
    g: Float[Array, " n"]
    c: Float[Array, " m"]
    J: Float[Array, "m n"]
    units: Float[Array, " m"]
    own: Float[Array, " m"]
    scale: Scalar
    base: Any
    wide: Any
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, problem: Problem, x: Any, ready: KKT):
        self.problem, self.x, self.flat = problem, x, tree.ravel(x)[0]
        self.bounds = problem.bounds()
        _, self.g, self.c, self.J = problem.evaluate(x)
        self.units, self.scale = ready.units, ready.scale
        self.base, self.wide = ready.base, ready.wide
        # A row is no larger than it is here, where nothing but the start measured it.
        here = jnp.maximum(jnp.abs(self.c), jax.vmap(tree.norm)(self.J))
        far = problem.reference_point() is not None
        tight = jnp.minimum(self.units, jnp.where(here > 0, here, self.units))
        self.own = self.units if far else tight
        names = ["projected Lagrangian gradient" if problem.bounded()
                 else "Lagrangian gradient"]  # fmt: skip
        names += ["equations"] * bool(problem.equations())
        names += ["inequalities", "complementarity"] * bool(problem.inequalities())
        names += ["multiplier growth"] * bool(problem.rows())
        self.names = tuple(names)

    @property
    def first(self) -> int:
        """The first row that is an inequality."""
        return self.problem.equations()

    @property
    def scales(self) -> tuple[Scalar, ...]:
        """One for each part, in the order of `names`."""
        own = {"complementarity", self.names[0]}
        one = jnp.ones_like(self.scale)
        return tuple(self.scale if name in own else one for name in self.names)

    def fit(self) -> Array:
        """Multipliers by least squares, those of inequalities nonnegative."""
        free = kkt.freedom(self.flat, *self.bounds)
        rows = jnp.where(jnp.arange(self.c.size) < self.first, 0, jnp.abs(self.c))
        return kkt.signed(self.g, self.J, rows, free, self.first)

    def offered(self, dual: Any) -> tuple[Array | None, Any]:
        """The offer with its signs clipped, and whether it is finite."""
        leaves = jax.tree.leaves(dual)
        if len(leaves) != 1 or jnp.shape(leaves[0]) != self.c.shape:
            return None, False
        lam = jnp.asarray(leaves[0], self.c.dtype)
        finite = jnp.all(jnp.isfinite(lam))
        lam = jnp.where(finite, lam, 0)
        unsigned = jnp.arange(lam.size) < self.first
        return jnp.where(unsigned, lam, jnp.maximum(lam, 0)), finite

    def residual(self, h: Array) -> Array:
        """x - P(x - h)."""
        if not self.problem.bounded():
            return h
        return self.flat - jnp.clip(self.flat - h, *self.bounds)

    def values(self, lam: Array) -> _Values:
        """The parts for these multipliers."""
        h = self.g + jnp.matmul(lam, self.J, precision=tree.PRECISION)
        return _Values(lam, self._parts(tree.norm(self.residual(h)), lam, self.c))

    def _parts(self, first: Scalar, lam: Array, c: Array) -> tuple[Scalar, ...]:
        """The parts after the first, which is given."""
        k, relative = self.first, c / self.own
        parts = [first]
        if k:
            parts.append(tree.max_abs(relative[:k]))
        if self.problem.inequalities():
            parts.append(jnp.max(jnp.maximum(relative[k:], 0)))
            parts.append(jnp.sum(jnp.abs(lam[k:] * c[k:])))
        if self.problem.rows():
            # A scale of 0 certifies nothing already.
            scale = jnp.where(self.scale > 0, self.scale, 1)
            moves = jnp.sum(jnp.abs(lam * c)) / scale
            parts.append(jnp.sum(jnp.abs(lam) * self.units) / scale * moves)
        return tuple(parts)

    def bare(self, name: str, error: Array) -> tuple[Scalar, Scalar] | None:
        """A violation in natural units with its slack; None for the other parts."""
        k = self.first
        if name == "equations":
            return tree.max_abs(self.c[:k]), 1.01 * tree.max_abs(error[:k])
        if name == "inequalities":
            found = jnp.max(jnp.maximum(self.c[k:], 0))
            return found, 1.01 * tree.max_abs(error[k:])
        return None

    def nothing(self) -> Array:
        """Placeholder errors of the rows: an eighth of each."""
        return jnp.abs(self.c) / 8

    def worst(self, v: _Values) -> Scalar:
        """The largest ratio, infinite where there is a NaN."""
        scales = [jnp.where(s > 0, s, 1) for s in self.scales]
        ratios = jnp.stack([p / s for p, s in zip(v.parts, scales, strict=True)])
        return jnp.where(jnp.any(jnp.isnan(ratios)), jnp.inf, jnp.max(ratios))

    def gradient(self, lam: Array) -> Any:
        """grad L(., lam) as a function of x."""
        return lambda x: tree.ravel(self.problem.lagrangian_grad(x, lam))[0]

    def labels(self, lam: Array) -> tuple[str, str]:
        """How the errors of the gradient and of the constraints are known."""
        return (
            common.provenance(self.gradient(lam), self.x),
            common.provenance(self.problem.constraints, self.x),
        )

    def slacks(self, v: _Values) -> tuple[tuple[Scalar, ...], Array]:
        """Rounding allowances of the parts, and errors of the rows."""
        eps = jnp.finfo(self.c.dtype).eps
        h = common.judge(self.gradient(v.lam), self.x)
        error = h.error
        # The parts' own product lam J and the judged gradient round differently.
        again = tree.norm(self.residual(h.value)) - v.parts[0]
        if self.problem.bounded():
            error = error + eps * (jnp.abs(self.flat) + jnp.abs(h.value))
        slack = common.norm_slack(v.parts[0], error, self.flat.size) + jnp.abs(again)
        if not self.problem.rows():
            return (slack,), self.c
        c = common.judge(self.problem.constraints, self.x)
        # Every other part is linear in |c| and moves by itself at the errors of c.
        error = c.error + jnp.abs(c.value - self.c)
        moved = self._parts(slack, v.lam, error)
        # Products and quotients that vanish, each beside the factor that is left.
        lost = 4 * self.c.size * least(self.c.dtype)
        by = jnp.where(self.scale > 0, self.scale, 1)
        price = jnp.sum(jnp.abs(v.lam) * self.units) / by
        moves = jnp.sum(jnp.abs(v.lam * self.c)) / by
        rest = lost / by + lost
        grown = (price + moves + rest) * rest + lost
        # Products and sums of as many terms as there are rows.
        g = 2 * gam(self.c.size + 16, self.c.dtype)
        # 1 / u_i vanishes too, where u_i is near the end of the range.
        lost = lost * (1 + tree.max_abs(self.c))
        rough = [1.01 * m + g * p + lost for m, p in
                 zip(moved[1:], v.parts[1:], strict=True)]  # fmt: skip
        rough[-1] = rough[-1] + 1.01 * grown
        # The growth is divided by the square of a scale that rounding may have raised.
        left = jnp.square(1 - jnp.minimum(self.base, 1))
        rough[-1] = (rough[-1] + (1 - left) * v.parts[-1]) / left
        # And multiplied with units that are rounded down.
        rough[-1] = rough[-1] + 1.01 * self.wide * (v.parts[-1] + rough[-1])
        # Against a scale that only vanished, nobody knows how large the growth is.
        rough[-1] = jnp.where(self.scale > 0, rough[-1], jnp.inf)
        return (slack, *rough), error
