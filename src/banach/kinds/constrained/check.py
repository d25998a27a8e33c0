"""The Karush-Kuhn-Tucker conditions of a constrained problem."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.checks import evaluation
from banach.checks.refusals import refuse_without
from banach.checks.scales import Scaled, at_most_one, held_against, screen_scale, source
from banach.core import tree
from banach.core.check import Certificate, Part
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.core.rounding import gam, least
from banach.parts import multiplier_estimates

Scalar = Float[Array, ""]


class KKT(Scaled):
    """First-order conditions at x, with multipliers as the witness.

    With L = f + lam.c, P the projection onto the bounds, X_j the unit of coordinate j,
    F that of f and u_i that of row i, the parts and their scales are

        Lagrangian gradient    max |x - P(x - X^2 grad L / F)|_j / X_j   of 1
        equations              max |c_i| / u_i                           of 1
        inequalities           max max(c_i, 0) / u_i                     of 1
        complementarity        sum |lam_i c_i|, inequalities             of F
        multiplier growth      sum |lam_i| u_i sum |lam_i c_i| / F^2     of 1

    measured at the reference (`units_of`): u_i = max(|c_i|, ||X grad c_i||). No verdict
    sees the units of x, of f or of a row, or how often a row is repeated: maxima and
    sums stay where they are when c_i becomes k c_i and lam_i becomes lam_i / k, and
    when a row shares its multiplier with its copies.

    Without a reference X and F are 1, and across a box narrower than twice |h_j|, h =
    grad L, the first part has |h_j| times the distance to the bound over half of the
    width in its place; it is the 2-norm then, and it and the
    complementarity are held against min(1, ||grad f(x0)||), or 1 where rounding is all
    that is left of them; u_i is the smaller of max(|c_i|, ||grad c_i||) at the
    problem's own x0 and at x: a start far away excuses nothing. An absolute tolerance
    is of the same 2-norm of x - P(x - grad L) and of violations in natural units.

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

    Args:
        screen: the ratio above which rounding is not bounded; None: it always is. A run
            puts its tolerance here.
        scale: the unit of f; None: found from the problem, as said above.
        units: those of the rows of the constraints, shape (m,); None: found with it.
        wide: how far those may be off by rounding, a number >= 0.
        lengths: the unit of each coordinate of x, shape (n,); None: found with it.

    Source: Karush (1939), Kuhn and Tucker (1951); Nocedal and Wright, Numerical
    Optimization (2006), theorem 12.1.

    Example:
        >>> disk = bn.Constrained(
        ...     lambda x: x[0] + x[1],
        ...     np.zeros(2),
        ...     ineq=lambda x: jnp.sum(x**2) - 2.0,
        ... )
        >>> verdict = bn.verify(disk, np.array([-1.0, -1.0]), check=bn.KKT())
        >>> print(verdict)
        certified: KKT residual, ratio 6.8e-16, tol 1e-06
          ...
    """

    name: ClassVar[str] = "kkt"

    units: Any = None
    wide: Any = 0.0
    lengths: Any = None

    def __check_init__(self):
        if self.wide is None:
            raise Misuse("wide must be a real number, got None; leave it out")
        evaluation.read(self, wide=None)

    def certify(
        self, problem: Problem, point: Point, key: Array, look: Any
    ) -> tuple[Certificate, Point]:
        """The parts at x clipped to the bounds, and the multipliers used."""
        clipped = problem.clipped(point.x)
        judged, at = evaluation.lift(problem, Point(clipped, point.dual))
        look_at = _At(judged, at.x, self)
        own = look_at.values(look_at.fit())
        offer, usable = look_at.offered(at.dual)
        if offer is None:
            best, taken = own, jnp.asarray(False)
        else:
            theirs = look_at.values(offer)
            taken = usable & (look_at.worst(theirs) <= look_at.worst(own))
            best = tree.where(taken, theirs, own)
        slope = evaluation.Traced(look_at.gradient(best.lam), at.x)
        rows = evaluation.Traced(judged.constraints, at.x)
        labels = slope.rounding, rows.rounding
        worst = look_at.worst(best, look_at.screens)
        passes = evaluation.below(self.screen, worst, jnp.ones_like(worst))
        h = slope.judge() if passes is None else None
        slacks, rough = evaluation.screened(
            passes,
            lambda: (tuple(v / 8 for v in best.parts), look_at.nothing()),
            lambda: look_at.slacks(best, slope.judge() if h is None else h, rows),
        )
        broken = look_at.broken
        since, own = source(problem), look_at.own_scaled
        parts = tuple(
            Part(
                name,
                jnp.where(broken, jnp.nan, v),
                e,
                held_against(problem, v, e, s, labels[0]) if name in own else s,
                look_at.bare(name, best.lam, rough, h),
                scale_from=since,
            )
            for name, v, e, s in zip(
                look_at.names, best.parts, slacks, look_at.scales, strict=True
            )
        )
        certificate = Certificate(
            parts,
            "KKT residual",
            "residual",
            evaluation.believed("gradient", labels[0])
            + evaluation.believed("constraints", labels[1])
            + evaluation.stopped(problem),
            "estimated" if "estimated" in labels else "modelled",
            False,
            jnp.zeros_like(best.parts[0]),
            jnp.asarray(look, jnp.int32),
            jnp.asarray(taken, jnp.int32),
        )
        kind = tree.dtype(point.x)
        return certificate, Point(clipped, best.lam.astype(kind))

    def measured(self, problem: Problem) -> tuple[Any, ...]:
        """The unit of f, those of the rows, how far those are off, and lengths of x."""
        reference = problem.reference_point()
        if reference is not None:
            judged, at = evaluation.lift(problem, reference)
            if not problem.rows():
                found = units_of(judged, at.x)
                none = jnp.ones(0, found.value.dtype)
                return found.value, none, 16 * found.blur, found.x
            # Traced once for both points; JAX keeps the trace as long as the function.
            seen = jax.jit(lambda p, x: _rows(p, x))
            here = seen(judged, at.x)
            found = units_of(judged, at.x, here)
            units, wide = _sizes(seen(*_lifted(problem)), found.x)
            own, spread = _sizes(here, found.x)
            units = jnp.where(own > 0, own, units)
            units = jnp.where(units > 0, units, 1).astype(found.value.dtype)
            wide = jnp.maximum(wide, spread) + 16 * found.blur
            return found.value, units, wide, found.x
        judged, at = evaluation.lift(problem, problem.start())
        size = tree.norm(judged.grad(at.x))
        # A start where f itself is least says nothing of small.
        scale = jnp.where(size > 0, at_most_one(size), 1)
        units, wide = jnp.ones(problem.rows(), scale.dtype), 0 * scale
        if problem.rows():
            one = jnp.ones(problem.size(), scale.dtype)
            units, wide = _sizes(_rows(judged, at.x), one)
            units = jnp.where(units > 0, units, 1).astype(scale.dtype)
        return scale, units, wide, None

    def cost(self, problem: Problem) -> Mapping[str, int]:
        """One evaluation; where a screen passes, one gradient and product more."""
        return {"value": 1, "grad": 1, "constraints": 1, "jacobian": 1}

    def refuses(self, problem: Problem) -> str | None:
        """Problems without constraints of this form."""
        says = f"{self.name} judges problems with the oracle constraints"
        return refuse_without("constraints", problem, says)


class Rows(NamedTuple):
    """The constraints at a point, with a bound of their rounding, and the Jacobian."""

    c: Float[Array, " m"]
    error: Float[Array, " m"]
    J: Float[Array, "m n"]


def _rows(problem: Problem, x: Any) -> Rows:
    found = evaluation.judge(problem.constraints, x)
    return Rows(found.value, found.error, problem.jacobian(x))


def _lifted(problem: Problem) -> tuple[Problem, Any]:
    judged, at = evaluation.lift(problem, problem.start())
    return judged, at.x


class Units(NamedTuple):
    """The unit of f, and the length of each coordinate of x that moves f by it.

    `blur` is the relative rounding in what both are made of.
    """

    value: Scalar
    x: Float[Array, " n"]
    blur: Scalar


def units_of(problem: Problem, x: Any, at: Rows | None = None) -> Units:
    """What is large for f and for each coordinate, from the problem at a reference.

    G_j is |df / dx_j|, or the terms that cancel in it; where f does not see x_j, what
    rows with the multiplier that first balances f would put there. The unit F of f is
    the least that is known of: the decrease of its quadratic model along -g / G^2; the
    most it changes across a finite width of the bounds; and what it takes to meet a
    row by the cheapest of its coordinates, of the dearest row. Else max G_j |x_j|.
    X_j = F / G_j. Where nothing is known X is 1 and F is ||grad f||. All are functions
    of the problem that follow a change of units of x, f or a row. `at` are the rows
    at x, where there are any.
    """
    found = evaluation.judge(problem.grad, x)
    g, e = (tree.ravel(v)[0] for v in (found.value, found.error))
    flat, back = tree.ravel(x)
    G = jnp.where(jnp.abs(g) > e, jnp.abs(g), evaluation.terms(e))
    G = jnp.where(jnp.isfinite(G), G, 0)
    none = jnp.asarray(jnp.inf, g.dtype)
    rows, lost = none, jnp.asarray(False)
    if at is not None:
        J = jnp.abs(at.J)
        J = jnp.where(jnp.isfinite(J), J, 0)
        there = (J > 0) & (G > 0)
        each = jnp.where(there, G / jnp.where(there, J, 1), none)
        price = jnp.min(each, axis=1, initial=jnp.inf)
        price = jnp.where(jnp.isfinite(price), price, 0)
        meets = price * jnp.maximum(jnp.abs(at.c) - at.error, 0)
        lost = ~jnp.all(jnp.isfinite(meets))
        rows = _known(jnp.max(meets, initial=0))
        G = jnp.where(G > 0, G, jnp.max(price[:, None] * J, axis=0, initial=0))
    safe = jnp.where(G > 0, G, 1)
    # Of any length: what f falls along it does not depend on that.
    way = jnp.where(G > 0, g / safe / (safe / jnp.max(G, initial=0)), 0)
    far = evaluation.power_of_two(tree.max_abs(way))
    way = way / far

    def along(y: Any) -> Scalar:
        return jnp.vdot(way, tree.ravel(problem.hvp(y, back(way)))[0])

    seen = evaluation.judge(along, x)
    # A curvature that is rounding of terms that cancel is none.
    bend, bent = seen.value, seen.value > 100 * seen.error
    falls = jnp.square(jnp.vdot(g, way)) / (2 * jnp.where(bent, bend, 1))
    lost = lost | ~jnp.isfinite(bend) | (bent & ~jnp.isfinite(_known(falls)))
    falls = jnp.where(bent, falls, none)
    lower, upper = problem.bounds()
    wide = jnp.where(jnp.isfinite(upper - lower), G * (upper - lower), 0)
    wide = _known(jnp.max(wide, initial=0))
    F = jnp.minimum(jnp.minimum(falls, wide), rows)
    F = jnp.where(jnp.isfinite(F), F, _known(jnp.max(G * jnp.abs(flat), initial=0)))
    sure = jnp.isfinite(F)
    X = jnp.where(sure & (G > 0), F / safe, 1)
    size = tree.norm(g)
    plain = evaluation.usable(size, tree.norm(e), evaluation.ordinary(problem, x))
    # Where these numbers or squares of lengths leave the range nothing is certified.
    end = float(jnp.finfo(g.dtype).max) ** 0.25
    inside = jnp.all((X < end) & (X > 1 / end)) & ~lost
    exact = jnp.abs(g) > e
    blur = jnp.max(jnp.where(exact, e / jnp.where(exact, jnp.abs(g), 1), 0), initial=0)
    curved = jnp.where(bent, seen.error / jnp.where(bent, bend, 1), 0)
    blur = blur + curved + gam(64 + flat.size, g.dtype)
    return Units(jnp.where(inside, jnp.where(sure, F, plain), 0), X, blur)


def _known(size: Scalar) -> Scalar:
    """A size, infinite where it is 0 or not finite: nothing is known of it."""
    return jnp.where(jnp.isfinite(size) & (size > 0), size, jnp.inf)


def _sizes(at: Rows, X: Array) -> tuple[Array, Array]:
    """max(|c_i|, ||X grad c_i||), rounded down, and by what part it may be larger.

    0 where it is not finite or not above rounding.
    """
    steep = jax.vmap(tree.norm)(at.J * X)
    size = jnp.maximum(jnp.abs(at.c) - at.error, steep)
    size = jnp.where(jnp.isfinite(size), jnp.maximum(size, 0), 0)
    high = jnp.maximum(jnp.abs(at.c) + at.error, steep)
    wide = jnp.where(size > 0, high / jnp.where(size > 0, size, 1) - 1, 0)
    return size, jnp.maximum(jnp.max(wide), 0)


class _Values(NamedTuple):
    lam: Float[Array, " m"]
    parts: tuple[Scalar, ...]


def _towards(x: Array, h: Array, low: Array, high: Array) -> Array:
    """x - P(x - h), in units of h also where the box is narrower than 2 |h|.

    There it is |h| times the distance to the bound over half of the width, at most
    twice as steep in h: the width alone would bound x - P(x - h).
    """
    moved, width = x - jnp.clip(x - h, low, high), high - low
    narrow = (width > 0) & (2 * jnp.abs(h) > width)
    by = jnp.where(narrow, 2 * jnp.abs(h) / jnp.where(narrow, width, 1), 1)
    return jnp.sign(moved) * jnp.minimum(jnp.abs(h), jnp.abs(moved) * by)


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
    screens: tuple[Scalar, ...]
    broken: Bool[Array, ""]
    wide: Any
    X: Any
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, problem: Problem, x: Any, ready: KKT):
        self.problem, self.x, self.X = problem, x, ready.lengths
        X = 1.0 if self.X is None else self.X
        # Everything below is of x / X: the check itself sees one unit.
        self.flat = tree.ravel(x)[0] / X
        self.bounds = tuple(v / X for v in problem.bounds())
        f, g, self.c, J = problem.evaluate(x)
        self.g, self.J = g * X, J * X
        self.broken = jnp.isnan(f) | jnp.any(jnp.isnan(self.c))
        self.units, self.wide = ready.units, ready.wide
        self.scale = ready.scale
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
        self.screens = self._scales(screen_scale(problem, self.scale))

    @property
    def first(self) -> int:
        """The first row that is an inequality."""
        return self.problem.equations()

    @property
    def unit(self) -> Scalar:
        """The unit F of f; 1 without a reference."""
        return jnp.ones_like(self.scale) if self.X is None else self.scale

    @property
    def own_scaled(self) -> set[str]:
        """The parts in the unit of f; without a reference the gradient too."""
        first = {self.names[0]} if self.X is None else set()
        return {"complementarity"} | first

    @property
    def scales(self) -> tuple[Scalar, ...]:
        """One for each part, in the order of `names`."""
        return self._scales(self.scale)

    def _scales(self, scale: Scalar) -> tuple[Scalar, ...]:
        own, one = self.own_scaled, jnp.ones_like(scale)
        return tuple(scale if name in own else one for name in self.names)

    def fit(self) -> Array:
        """Multipliers by least squares, those of inequalities nonnegative."""
        free = multiplier_estimates.freedom(self.flat, *self.bounds)
        rows = jnp.where(jnp.arange(self.c.size) < self.first, 0, jnp.abs(self.c))
        return multiplier_estimates.signed(self.g, self.J, rows, free, self.first)

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
        """y - P(y - h / F), y = x / X; without a reference x - P(x - h)."""
        h = h / jnp.where(self.unit > 0, self.unit, 1)
        if not self.problem.bounded():
            return h
        if self.X is None:
            return _towards(self.flat, h, *self.bounds)
        return self.flat - jnp.clip(self.flat - h, *self.bounds)

    def length(self, r: Array) -> Scalar:
        """The largest component; without a reference the 2-norm."""
        return tree.norm(r) if self.X is None else tree.max_abs(r)

    def slope(self, lam: Array) -> Array:
        """X grad L."""
        return self.g + jnp.matmul(lam, self.J, precision=tree.PRECISION)

    def values(self, lam: Array) -> _Values:
        """The parts for these multipliers."""
        first = self.length(self.residual(self.slope(lam)))
        return _Values(lam, self._parts(first, lam, self.c))

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
            # A unit of 0 certifies nothing already.
            scale = jnp.where(self.unit > 0, self.unit, 1)
            moves = jnp.sum(jnp.abs(lam * c)) / scale
            parts.append(jnp.sum(jnp.abs(lam) * self.units) / scale * moves)
        return tuple(parts)

    def bare(
        self, name: str, lam: Array, error: Array, h: evaluation.Judged | None
    ) -> tuple[Scalar, Scalar] | None:
        """A part in natural units with its slack; None where it is so already.

        `h` is grad L judged, None behind a screen.
        """
        k = self.first
        if name == "equations":
            return tree.max_abs(self.c[:k]), 1.01 * tree.max_abs(error[:k])
        if name == "inequalities":
            found = jnp.max(jnp.maximum(self.c[k:], 0))
            return found, 1.01 * tree.max_abs(error[k:])
        if name == self.names[0] and self.X is not None:
            return self._plain(lam, h)
        return None

    def _plain(self, lam: Array, h: evaluation.Judged | None) -> tuple[Scalar, Scalar]:
        """||x - P(x - grad L)||_2 and its slack; a placeholder behind a screen."""
        x = tree.ravel(self.x)[0]

        def moved(h: Array) -> Array:
            if not self.problem.bounded():
                return h
            return _towards(x, h, *self.problem.bounds())

        if h is None:
            norm = tree.norm(moved(self.slope(lam) / self.X))
            return norm, norm / 8
        error = h.error
        if self.problem.bounded():
            eps = jnp.finfo(x.dtype).eps
            error = 2 * (error + 4 * eps * (jnp.abs(x) + jnp.abs(h.value)))
        norm = tree.norm(moved(h.value))
        return norm, evaluation.norm_slack(norm, error, x.size)

    def nothing(self) -> Array:
        """Placeholder errors of the rows: an eighth of each."""
        return jnp.abs(self.c) / 8

    def worst(self, v: _Values, scales: tuple[Scalar, ...] | None = None) -> Scalar:
        """The largest ratio, infinite where there is a NaN."""
        scales = [jnp.where(s > 0, s, 1) for s in scales or self.scales]
        ratios = jnp.stack([p / s for p, s in zip(v.parts, scales, strict=True)])
        return jnp.where(jnp.any(jnp.isnan(ratios)), jnp.inf, jnp.max(ratios))

    def gradient(self, lam: Array) -> Any:
        """grad L(., lam) as a function of x."""
        return lambda x: tree.ravel(self.problem.lagrangian_grad(x, lam))[0]

    def slacks(
        self, v: _Values, h: evaluation.Judged, rows: evaluation.Traced
    ) -> tuple[tuple[Scalar, ...], Array]:
        """Rounding allowances of the parts, and errors of the rows."""
        eps = jnp.finfo(self.c.dtype).eps
        X = 1.0 if self.X is None else self.X
        by = jnp.where(self.unit > 0, self.unit, 1)
        found = h.value * X
        # The parts' own product lam J and the judged gradient round differently.
        again = self.length(self.residual(found)) - v.parts[0]
        error = h.error * X / by + 4 * eps * jnp.abs(found / by)
        if self.problem.bounded():
            error = error + 4 * eps * (jnp.abs(self.flat) + jnp.abs(found / by))
            # What a narrow box grows by is at most twice as steep.
            error = error if self.X is not None else 2 * error
        # A gradient over a unit that only vanished is nothing known.
        error = jnp.where(self.unit > 0, error + 4 * least(error.dtype), jnp.inf)
        slack = evaluation.norm_slack(v.parts[0], error, self.flat.size) + jnp.abs(
            again
        )
        if self.X is not None:
            # Lengths and units are rounded themselves.
            slack = slack + 1.01 * self.wide * (v.parts[0] + slack)
        if not self.problem.rows():
            return (slack,), self.c
        c = rows.judge()
        # Every other part is linear in |c| and moves by itself at the errors of c.
        error = c.error + jnp.abs(c.value - self.c)
        moved = self._parts(slack, v.lam, error)
        # Products and quotients that vanish, each beside the factor that is left.
        lost = 4 * self.c.size * least(self.c.dtype)
        by = jnp.where(self.unit > 0, self.unit, 1)
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
        # The growth is multiplied with units that are rounded down.
        rough[-1] = rough[-1] + 1.01 * self.wide * (v.parts[-1] + rough[-1])
        if self.X is not None:
            rough = [e + 1.01 * self.wide * (p + e) for p, e in
                     zip(v.parts[1:], rough, strict=True)]  # fmt: skip
        # In units that only vanished nobody knows how large a part is.
        rough = [jnp.where(self.unit > 0, v, jnp.inf) for v in rough]
        return (slack, *rough), error
