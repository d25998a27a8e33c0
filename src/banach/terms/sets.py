"""Indicator sets: box, orthant, simplex and balls.

The conjugate of an indicator is the support function; the bracket
max_y <v, y - x> is written as distances to the maximising face, weighted by v.
It assumes nothing of x: a point outside the set may give a negative value.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from banach.core import tree, validation
from banach.core.annotations import Real
from banach.core.problem import Misuse
from banach.core.rounding import gam, least
from banach.core.validated_fields import hyper, keep
from banach.terms.term import (
    Partition,
    Scalar,
    Set,
    angle,
    arrays,
    charge,
    concrete,
    leafwise,
    onto_simplex,
    positive,
    rebuild,
    single,
    spread,
    summed,
)

_COMPACT = frozenset({"prox", "project", "lmo", "conjugate"})
_PLAIN = frozenset({"prox", "project"})


class Box(Set):
    """{lower <= x <= upper}, leaf by leaf on any pytree; sides may be infinite.

    `bounded` says that all sides are finite, which lmo and conjugate need. It is
    read off concrete bounds; traced bounds offer projections only, unless
    bounded=True is given.

    Args:
        lower, upper: numbers, or like x; -inf and inf where there is no side.
        bounded: whether all sides are finite; None: read off them.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.2.

    Example:
        >>> bn.Box(0.0, 1.0).project(np.array([-1.0, 0.5, 3.0]))
        Array([0. , 0.5, 1. ], dtype=float32)
    """

    separable = True

    lower: Any
    upper: Any
    bounded: bool = eqx.field(static=True)

    def __init__(self, lower: Any, upper: Any, bounded: bool | None = None):
        self.lower = _side(lower, "Box lower", "-np.inf")
        self.upper = _side(upper, "Box upper", "np.inf")
        if bounded is not None:
            bounded = validation.flag(bounded, "Box bounded")
        if concrete(self.lower, self.upper):
            finite = all(
                np.isfinite(np.asarray(b)).all()
                for b in jax.tree.leaves((self.lower, self.upper))
            )
            if bounded and not finite:
                raise Misuse("Box has infinite sides: drop bounded=True")
            bounded = finite
        self.bounded = bool(bounded)

    def __check_init__(self):
        _side(self.lower, "Box lower", "-np.inf")
        _side(self.upper, "Box upper", "np.inf")
        if concrete(self.lower, self.upper):
            _check_sides(self.lower, self.upper)

    def offers(self) -> frozenset[str]:
        """Everything for finite sides, else projections."""
        return _COMPACT if self.bounded else _PLAIN

    def project(self, v: PyTree) -> PyTree:
        """Clip."""
        return leafwise(_clip, v, self.lower, self.upper)

    def lmo(self, g: PyTree) -> PyTree:
        """The lower side where g > 0, else the upper."""
        self._need("lmo")
        return leafwise(
            lambda g, lo, up: jnp.where(g > 0, lo, jnp.where(g <= 0, up, g)),
            g,
            self.lower,
            self.upper,
        )

    def center(self, like: PyTree) -> PyTree:
        """The midpoint; where a side is infinite, the point nearest to 0."""

        def middle(x, lo, up):
            both = jnp.isfinite(lo) & jnp.isfinite(up)
            lo1, up1 = jnp.where(both, lo, 0), jnp.where(both, up, 0)
            return jnp.where(both, lo1 + (up1 - lo1) / 2, _clip(0 * lo1, lo, up))

        return leafwise(middle, like, self.lower, self.upper)

    def diameter(self, like: PyTree | None = None) -> Any:
        """Norm of upper - lower, rounded up."""
        if not self.bounded:
            return np.asarray(np.inf)
        if like is None:
            like = self.lower if np.ndim(self._one(self.lower)) else self.upper
            if not np.ndim(self._one(like)):
                raise Misuse("Box with scalar sides needs diameter(like)")
        d = leafwise(lambda x, lo, up: up - lo, like, self.lower, self.upper)
        return _up(tree.norm(d), tree.size(d))

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """v (upper - x) where v > 0, |v| (x - lower) elsewhere."""
        self._need("conjugate")
        v = arrays(v)
        (e,) = spread(v, e)
        value, rough, moved = summed(_box_bracket, x, v, e, self.lower, self.upper)
        # `rough` is the sum of absolute terms: x outside gives terms of both signs.
        k = tree.size(x) + 8
        return value, charge(value, moved + gam(k, value.dtype) * rough, k)

    def _need(self, oracle: str) -> None:
        if not self.bounded:
            self.refuse(oracle, "give finite sides (traced sides: bounded=True)")

    def _one(self, side: PyTree) -> Any:
        return jax.tree.leaves(side)[0]


class LInfBall(Set):
    """{max |x| <= radius}, on any pytree.

    Args:
        radius: a number > 0.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.2.

    Example:
        >>> bn.LInfBall(1.0).project(np.array([3.0, -4.0, 0.5]))
        Array([ 1. , -1. ,  0.5], dtype=float32)
    """

    oracles = _COMPACT
    separable = True

    radius: Real = hyper("LInfBall radius", "positive", scalar=True)

    def project(self, v: PyTree) -> PyTree:
        """Clip at the radius."""
        return leafwise(lambda v, r: _clip(v, -r, r), v, self.radius)

    def lmo(self, g: PyTree) -> PyTree:
        """Minus the radius times the signs."""
        return leafwise(lambda g, r: -r * jnp.sign(g), g, self.radius)

    def diameter(self, like: PyTree | None = None) -> Any:
        """2 radius sqrt(n), rounded up; needs `like` for n."""
        if like is None:
            raise Misuse("LInfBall needs diameter(like) to know the dimension")
        n = tree.size(like)
        return _up(2 * jnp.asarray(self.radius) * np.sqrt(n), 8)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """|v| (radius - sign(v) x)."""

        def entry(x, v, e, r):
            return _box_bracket(x, v, e, -r, r)

        v = arrays(v)
        (e,) = spread(v, e)
        value, rough, moved = summed(entry, x, v, e, self.radius)
        k = tree.size(x) + 8
        return value, charge(value, moved + gam(k, value.dtype) * rough, k)


class Nonnegative(Set):
    """{x >= 0}, on any pytree.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.2.

    Example:
        >>> bn.Nonnegative().project(np.array([3.0, -4.0]))
        Array([3., 0.], dtype=float32)
    """

    oracles = _PLAIN
    separable = True

    def project(self, v: PyTree) -> PyTree:
        """The positive part."""
        return jax.tree.map(lambda v: _clip(v, jnp.zeros_like(v), None), arrays(v))


class Simplex(Set):
    """{x >= 0, sum x = radius}, on one array.

    Args:
        radius: a number > 0, what the entries sum to.

    Source: Held, Wolfe and Crowder, Mathematical Programming 6 (1974); Parikh and Boyd,
    Proximal Algorithms (2014), section 6.2.

    Example:
        >>> bn.Simplex().project(np.array([2.0, 1.5, 0.0]))
        Array([0.75, 0.25, 0.  ], dtype=float32)
    """

    oracles = _COMPACT

    radius: Real = hyper("Simplex radius", "positive", scalar=True, default=1.0)

    def project(self, v: PyTree) -> PyTree:
        """Subtract the threshold, keep the positive part."""
        w = single(self, v)
        return rebuild(v, onto_simplex(w, jnp.asarray(self.radius, w.dtype))[0])

    def lmo(self, g: PyTree) -> PyTree:
        """The vertex of the smallest entry."""
        w = single(self, g)
        return rebuild(g, _corner(w, jnp.argmin(w), jnp.asarray(self.radius, w.dtype)))

    def center(self, like: PyTree) -> PyTree:
        """The uniform point."""
        w = single(self, like)
        return rebuild(
            like, jnp.full_like(w, jnp.asarray(self.radius, w.dtype) / w.size)
        )

    def diameter(self, like: PyTree | None = None) -> Any:
        """sqrt(2) radius, rounded up."""
        return _up(np.sqrt(2.0) * jnp.asarray(self.radius), 8)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of x (max v - v); |max v| |radius - sum x| goes to the slack."""
        x, v, e = _three(self, x, v, e)
        r, top, g = (
            jnp.asarray(self.radius, x.dtype),
            jnp.max(v),
            gam(x.size + 8, x.dtype),
        )
        terms = x * (top - v)
        mass = jnp.sum(jnp.abs(x))
        off = jnp.abs(r - jnp.sum(x)) + g * mass
        moved = jnp.sum(e * jnp.abs(x)) + r * jnp.max(e) + jnp.abs(top) * off
        moved = moved + g * jnp.sum(jnp.abs(terms)) + jnp.max(e) * off
        moved = moved + 4 * least(x.dtype) * (mass + r + x.size * jnp.max(jnp.abs(v)))
        value = jnp.sum(terms)
        return value, charge(value, moved, x.size + 8)


class L1Ball(Set):
    """{sum |x| <= radius}, on one array.

    Args:
        radius: a number > 0.

    Source: Duchi, Shalev-Shwartz, Singer and Chandra, ICML (2008).

    Example:
        >>> bn.L1Ball(1.0).project(np.array([3.0, 1.0]))
        Array([1., 0.], dtype=float32)
    """

    oracles = _COMPACT

    radius: Real = hyper("L1Ball radius", "positive", scalar=True)

    def project(self, v: PyTree) -> PyTree:
        """The signs times the projection of |v| on the simplex."""
        w = single(self, v)
        r, a = jnp.asarray(self.radius, w.dtype), jnp.abs(w)
        x = jnp.sign(w) * onto_simplex(a, r)[0]
        return rebuild(v, jnp.where(jnp.sum(a) <= r, w, x))

    def lmo(self, g: PyTree) -> PyTree:
        """The signed vertex of the largest absolute entry."""
        w = single(self, g)
        j = jnp.argmax(jnp.abs(w))
        r = -jnp.sign(w.ravel()[j]) * jnp.asarray(self.radius, w.dtype)
        return rebuild(g, _corner(w, j, r))

    def diameter(self, like: PyTree | None = None) -> Any:
        """Twice the radius."""
        return _up(2 * jnp.asarray(self.radius), 8)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(radius - ||x||_1) m + sum |x| (m - sign(x) v), with m = max |v|."""
        x, v, e = _three(self, x, v, e)
        r, top = jnp.asarray(self.radius, x.dtype), jnp.max(jnp.abs(v))
        mass = jnp.sum(jnp.abs(x))
        value = (r - mass) * top + jnp.sum(jnp.abs(x) * (top - jnp.sign(x) * v))
        moved = jnp.sum(e * jnp.abs(x)) + r * jnp.max(e)
        size = (mass + jnp.abs(r - mass)) * top
        moved = moved + 2 * gam(x.size + 8, x.dtype) * size
        moved = moved + 4 * least(x.dtype) * (mass + r + x.size * top)
        return value, charge(value, moved, x.size + 8)


class L2Ball(Set):
    """{||x - center|| <= radius}, the norm over the whole pytree.

    `middle` is the centre: 0, or an array or pytree like the variable.

    Args:
        radius: a number > 0.
        middle: the centre, a number or like x.

    Source: Beck, First-Order Methods in Optimization (2017), chapter 6.

    Example:
        >>> bn.L2Ball(1.0).project(np.array([3.0, 4.0]))
        Array([0.6, 0.8], dtype=float32)
    """

    oracles = _COMPACT

    radius: Real = hyper("L2Ball radius", "positive", scalar=True)
    middle: Any = hyper("L2Ball middle", default=0.0)

    def project(self, v: PyTree) -> PyTree:
        """Scale v - center to the radius where it is longer."""
        v = arrays(v)
        y, c = self._about(v)
        n = tree.norm(y)
        r = jnp.asarray(self.radius, n.dtype)
        far = n > r
        inner = tree.scale(jnp.where(far, r / positive(n), 1), y)
        return tree.where(far, tree.add(c, inner), v)

    def violation(self, x: PyTree) -> Scalar:
        """max(||x - center|| - radius, 0)."""
        n = tree.norm(self._about(arrays(x))[0])
        return jnp.maximum(n - jnp.asarray(self.radius, n.dtype), 0)

    def lmo(self, g: PyTree) -> PyTree:
        """center - radius g / ||g||; the centre where g is 0."""
        g = arrays(g)
        _, c = self._about(g)
        n = tree.norm(g)
        return tree.axpy(-jnp.asarray(self.radius, n.dtype) / positive(n), g, c)

    def center(self, like: PyTree) -> PyTree:
        """The centre."""
        return self._about(arrays(like))[1]

    def diameter(self, like: PyTree | None = None) -> Any:
        """Twice the radius."""
        return _up(2 * jnp.asarray(self.radius), 8)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(r - ||y||) ||v|| + (||v|| ||y|| - <v, y>) with y = x - center."""
        v = arrays(v)
        (e,) = spread(v, e)
        y, c = self._about(arrays(x))
        flat = [tree.ravel(a)[0] for a in (v, y, e, c)]
        v, y, e, c = flat
        nv, ny, turn, slack = angle(v, y, e, Partition(None, 1))
        r = jnp.asarray(self.radius, nv.dtype)
        value = jnp.sum((r - ny) * nv + turn)
        g = gam(v.size + 12, v.dtype)
        # Rounding of y = x - center is relative to y; the norms err by g each.
        moved = jnp.sum(slack + g * (nv * (ny + r))) + r * tree.norm(e)
        moved = moved + 4 * v.size * least(v.dtype) * jnp.sum(1 + nv + r)
        return value, charge(value, moved, v.size + 12)

    def _about(self, x: PyTree) -> tuple[PyTree, PyTree]:
        (c,) = spread(x, self.middle)
        return tree.sub(x, c), c


def _clip(v: Array, lo: Array | None, up: Array | None) -> Array:
    # where, not min and max: at a tie jnp.clip averages two derivatives.
    v = v if up is None else jnp.where(v > up, up, v)
    return v if lo is None else jnp.where(v < lo, lo, v)


def _box_bracket(x, v, e, lo, up):
    near = jnp.where(v > 0, up - x, x - lo)
    other = jnp.where(v > 0, x - lo, up - x)
    term = jnp.abs(v) * near
    # v' may cross 0, where the other face is the maximising one.
    cross = jnp.maximum(e - jnp.abs(v), 0) * other
    # Distances and slopes that vanish, each beside the other.
    lost = 4 * least(v.dtype) * (1 + jnp.abs(v) + jnp.abs(near) + jnp.abs(other))
    return term, jnp.abs(term), jnp.maximum(e * near, cross) + lost


def _corner(w: Array, j: Array, r: Array) -> Array:
    # A NaN gradient has no vertex.
    r = jnp.where(jnp.any(jnp.isnan(w)), jnp.nan, r)
    return jnp.zeros(w.size, w.dtype).at[j].set(r).reshape(w.shape)


def _three(term: Set, x: PyTree, v: PyTree, e: PyTree) -> tuple[Array, Array, Array]:
    (e,) = spread(arrays(v), e)
    return single(term, x), single(term, v), single(term, e)


def _up(x: Array, k: int) -> Array:
    return x * (1 + 2.1 * gam(k + 8, x.dtype))


def _side(side: Any, name: str, opened: str) -> Any:
    if side is None:
        raise Misuse(f"{name} must be real, got None; a side that is open is {opened}")
    return keep(side, name, infinite=True)


def _check_sides(lower: PyTree, upper: PyTree) -> None:
    lows, ups = jax.tree.leaves(lower), jax.tree.leaves(upper)
    same = jax.tree.structure(lower) == jax.tree.structure(upper)
    if 1 not in (len(lows), len(ups)) and not same:
        raise Misuse("Box: lower and upper need the same structure, or one number")
    n = max(len(lows), len(ups))
    lows, ups = (s * n if len(s) == 1 else s for s in (lows, ups))
    for lo, up in zip(lows, ups, strict=True):
        lo, up = np.asarray(lo), np.asarray(up)
        try:
            np.broadcast_shapes(lo.shape, up.shape)
        except ValueError:
            raise Misuse(
                f"Box: lower has shape {lo.shape} and upper {up.shape}: give one "
                "number, or one for each coordinate"
            ) from None
        if not (np.all(lo <= up) and np.all(lo < np.inf) and np.all(up > -np.inf)):
            raise Misuse("Box is empty: every lower side must be <= its upper side")
