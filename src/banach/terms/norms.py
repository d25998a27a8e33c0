"""Finite regularisers of vectors and pytrees: zero, l1, l2, elastic net, l-infinity.

Each `fenchel_young` writes the bracket g(x) + g*(v) - <v, x> as a sum of terms that
are nonnegative one by one, so that rounding is relative to the bracket itself
wherever the mathematics allows it.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import tree
from banach.core.rounding import gam, least
from banach.core.validated_fields import hyper
from banach.terms.term import (
    Norm,
    Partition,
    Scalar,
    angle,
    arrays,
    charge,
    leafwise,
    onto_simplex,
    positive,
    rebuild,
    safe_factor,
    shrink,
    single,
    soft,
    spread,
    summed,
)


class Zero(Norm):
    """g = 0, on any pytree. Every coordinate is unpenalised.

    Source: the definition; its prox is the identity.

    Example:
        >>> bn.Zero().prox(np.array([3.0, 1.0]), 1.0)
        Array([3., 1.], dtype=float32)
    """

    oracles = frozenset({"prox"})
    separable = True

    def value(self, x: PyTree) -> Scalar:
        """Zero."""
        return jnp.zeros((), tree.dtype(arrays(x)))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The point itself."""
        return arrays(v)

    @property
    def unpenalised(self) -> Any:
        """Every coordinate."""
        return np.asarray(True)


class ElasticNet(Norm):
    """g(x) = sum l1 |x| + l2 x^2 / 2, leaf by leaf on any pytree.

    l1 and l2 are numbers, or weights for each coordinate. Where l2 is 0 the
    coordinate is that of an l1 norm; where both are 0 it is unpenalised.

    Args:
        l1: a number >= 0, or weights like x.
        l2: a number >= 0, or weights like x.

    Source: Zou and Hastie, J. Royal Statistical Society B 67 (2005); Parikh and Boyd,
    Proximal Algorithms (2014), section 6.5.

    Example:
        >>> bn.ElasticNet(1.0, 1.0).prox(np.array([3.0, 0.5]), 1.0)
        Array([1., 0.], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})
    separable = True

    l1: Any = hyper("ElasticNet l1", "nonnegative")
    l2: Any = hyper("ElasticNet l2", "nonnegative")

    def value(self, x: PyTree) -> Scalar:
        """Sum of l1 |x| + l2 x^2 / 2."""
        return _l1_l2_value(x, self.l1, self.l2)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """soft(v, t l1) / (1 + t l2)."""

        def step(v, a, b):
            s = jnp.asarray(t, v.dtype)
            return soft(v, s * a) / (1 + s * b)

        return leafwise(step, v, self.l1, self.l2)

    def mu(self) -> Any:
        """The smallest l2 weight."""
        return _smallest(self.l2)

    @property
    def unpenalised(self) -> Any:
        """Coordinates where both weights are 0."""
        return zero_weights(self.l1, self.l2)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """l2 (x - s)^2 / 2 + l1 |x| - u x with s = soft(v, l1) / l2, u = v - l2 s."""
        return _l1_l2_bracket(x, v, e, self.l1, self.l2)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """1, except for the coordinates where l2 is 0."""
        return _l1_l2_scale(v, e, self.l1, self.l2)


class L1(Norm):
    """g(x) = sum lam |x|, leaf by leaf on any pytree; lam may be weights.

    Args:
        lam: a number >= 0, or weights like x.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.5.

    Example:
        >>> bn.L1(1.0).prox(np.array([3.0, -0.5]), 1.0)
        Array([2., 0.], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})
    separable = True

    lam: Any = hyper("L1 lam", "nonnegative")

    def value(self, x: PyTree) -> Scalar:
        """Sum of lam |x|."""
        return _l1_l2_value(x, self.lam, 0)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """Soft threshold at t lam."""
        return leafwise(lambda v, a: soft(v, jnp.asarray(t, v.dtype) * a), v, self.lam)

    @property
    def unpenalised(self) -> Any:
        """Coordinates of weight 0."""
        return zero_weights(self.lam)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(lam - |v|) |x| + (|v| |x| - v x)."""
        return _l1_l2_bracket(x, v, e, self.lam, 0)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """min(1, lam / max(|v| + e)), rounded down."""
        return _l1_l2_scale(v, e, self.lam, 0)


class SquaredL2(Norm):
    """g(x) = sum lam x^2 / 2, leaf by leaf on any pytree; lam may be weights.

    Args:
        lam: a number >= 0, or weights like x.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.1.

    Example:
        >>> bn.SquaredL2(1.0).prox(np.array([3.0, 1.0]), 1.0)
        Array([1.5, 0.5], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})
    separable = True

    lam: Any = hyper("SquaredL2 lam", "nonnegative")

    def value(self, x: PyTree) -> Scalar:
        """Sum of lam x^2 / 2."""
        return _l1_l2_value(x, 0, self.lam)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """v / (1 + t lam)."""
        return leafwise(lambda v, a: v / (1 + jnp.asarray(t, v.dtype) * a), v, self.lam)

    def mu(self) -> Any:
        """The smallest weight."""
        return _smallest(self.lam)

    @property
    def unpenalised(self) -> Any:
        """Coordinates of weight 0."""
        return zero_weights(self.lam)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(lam x - v)^2 / (2 lam)."""
        return _l1_l2_bracket(x, v, e, 0, self.lam)


class L2Norm(Norm):
    """g(x) = lam ||x||, the norm over the whole pytree.

    Args:
        lam: a number >= 0.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.5.

    Example:
        >>> bn.L2Norm(1.0).prox(np.array([3.0, 4.0]), 1.0)
        Array([2.4, 3.2], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    lam: Any = hyper("L2Norm lam", "nonnegative", scalar=True)

    def value(self, x: PyTree) -> Scalar:
        """Lam times the norm."""
        n = tree.norm(arrays(x))
        return jnp.asarray(self.lam, n.dtype) * n

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """(1 - t lam / ||v||)_+ v."""
        v = arrays(v)
        n = tree.norm(v)
        k = jnp.asarray(t, n.dtype) * jnp.asarray(self.lam, n.dtype)
        return tree.scale(shrink(n, k), v)

    @property
    def unpenalised(self) -> Any:
        """Everything if lam is 0."""
        return zero_weights(self.lam)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(lam - ||v||) ||x|| + ||v|| ||x|| ||v/||v|| - x/||x|| ||^2 / 2."""
        v = arrays(v)
        (e,) = spread(v, e)
        x, v, e = (tree.ravel(a)[0] for a in (arrays(x), v, e))
        nv, nx, turn, slack = angle(v, x, e, Partition(None, 1))
        lam = jnp.asarray(self.lam, nv.dtype)
        value = jnp.sum(jnp.where(lam > 0, jnp.maximum(lam - nv, 0) * nx + turn, 0))
        return value, charge(value, jnp.sum(jnp.where(lam > 0, slack, 0)), x.size + 8)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """min(1, lam / || |v| + e ||), rounded down."""
        n = tree.norm(leafwise(lambda v, e: jnp.abs(v) + e, v, e))
        lam = jnp.asarray(self.lam, n.dtype)
        ratio = jnp.where(lam > 0, n / positive(lam), 0)
        return safe_factor(ratio, tree.size(v) + 8)


class LInf(Norm):
    """g(x) = lam max |x|, on one array.

    Args:
        lam: a number >= 0.

    Source: Parikh and Boyd, Proximal Algorithms (2014), section 6.5.

    Example:
        >>> bn.LInf(1.0).prox(np.array([3.0, 1.0]), 1.0)
        Array([2., 1.], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    lam: Any = hyper("LInf lam", "nonnegative", scalar=True)

    def value(self, x: PyTree) -> Scalar:
        """Lam times the largest absolute entry."""
        x = single(self, x)
        return jnp.asarray(self.lam, x.dtype) * jnp.max(jnp.abs(x))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """Clip at the threshold of the projection on the l1 ball of radius t lam."""
        w = single(self, v)
        k = jnp.asarray(t, w.dtype) * jnp.asarray(self.lam, w.dtype)
        a = jnp.abs(w)
        _, theta = onto_simplex(a, k)
        cut = jnp.where(a > theta, jnp.sign(w) * theta, w)
        inside = (jnp.sum(a) <= k) & (k > 0)
        return rebuild(v, jnp.where(inside, 0, jnp.where(k > 0, cut, w)))

    @property
    def unpenalised(self) -> Any:
        """Everything if lam is 0."""
        return zero_weights(self.lam)

    def floor(self, size: int, dtype: Any) -> Scalar:
        """A number c with g(x) >= c ||x||: lam / sqrt(size), rounded down."""
        lam = jnp.asarray(self.lam, dtype)
        return lam / math.sqrt(size) * (1 - gam(4, dtype))

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """(lam - ||v||_1) m + sum |v| (m - sign(v) x), with m = max |x|."""
        (e,) = spread(arrays(v), e)
        x, v, e = single(self, x), single(self, v), single(self, e)
        lam, m, total = jnp.asarray(self.lam, x.dtype), jnp.max(abs(x)), jnp.sum(abs(v))
        first = jnp.maximum(lam - total, 0) * m
        value = first + jnp.sum(abs(v) * (m - jnp.sign(v) * x))
        moved = jnp.sum(e * abs(x)) + gam(v.size + 2, x.dtype) * (total * m)
        moved = moved + 4 * least(x.dtype) * (v.size * m + total)
        live = lam > 0
        value = jnp.where(live, value, 0)
        return value, charge(value, jnp.where(live, moved, 0), v.size + 8)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """min(1, lam / sum(|v| + e)), rounded down."""
        total = tree.total(leafwise(lambda v, e: jnp.abs(v) + e, v, e))
        lam = jnp.asarray(self.lam, total.dtype)
        ratio = jnp.where(lam > 0, total / positive(lam), 0)
        return safe_factor(ratio, tree.size(v) + 8)


def _l1_l2_value(x: PyTree, l1: Any, l2: Any) -> Scalar:
    def entry(x, a, b):
        return (a * jnp.abs(x) + b * jnp.square(x) / 2,)

    return summed(entry, x, l1, l2)[0]


def _l1_l2_bracket(x: PyTree, v: PyTree, e: PyTree, l1: Any, l2: Any):
    def entry(x, v, e, a, b):
        u, tiny = jnp.finfo(x.dtype).eps / 2, least(x.dtype)
        cut = jnp.clip(v, -a, a)
        # |cut| |x| - cut x is 0 or twice a product. Written as a difference, a
        # fused multiply-add would turn its exact 0 into a rounding error.
        against = jnp.where((cut > 0) == (x > 0), 0, 2 * jnp.abs(cut * x))
        flat = jnp.maximum(a - jnp.abs(cut), 0) * jnp.abs(x) + against
        # b (x - s)^2 / 2 = r^2 / (2 b) with r = b x - (v - cut); its rounding and
        # the change e of v move r by at most `step`.
        r = b * x - (v - cut)
        lost = 4 * tiny * (1 + a + b + jnp.abs(x))
        step = 1.1 * u * (jnp.abs(b * x) + jnp.abs(v - cut) + jnp.abs(r)) + e + lost
        curved = b > 0
        # Divided before squaring: r^2 alone vanishes long before r^2 / b does. A
        # quotient that vanishes all the same has a square far below `lost`.
        root = jnp.sqrt(positive(b)) * math.sqrt(2.0)
        near, step = jnp.abs(r) / root, 1.01 * step / root + tiny
        square = jnp.where(curved, jnp.square(near), 0)
        moved = jnp.where(curved, 2 * near * step + jnp.square(step), 0)
        moved = jnp.where(curved | (a > 0), moved + lost, 0)
        straight = jnp.where(a > 0, e * jnp.abs(x) + lost, 0)
        moved = jnp.where(curved, moved, straight)
        return jnp.where(curved | (a > 0), flat, 0) + square, moved

    v = arrays(v)
    (e,) = spread(v, e)
    value, moved = summed(entry, x, v, e, l1, l2)
    return value, charge(value, moved, tree.size(x) + 12)


def _l1_l2_scale(v: PyTree, e: PyTree, l1: Any, l2: Any) -> Scalar:
    def entry(v, e, a, b):
        hard = (b == 0) & (a > 0)
        return jnp.where(hard, (jnp.abs(v) + e) / positive(a), 0)

    return safe_factor(tree.max_abs(leafwise(entry, v, e, l1, l2)), 4)


def _smallest(weights: PyTree) -> Any:
    smallest = [jnp.min(jnp.asarray(w)) for w in jax.tree.leaves(weights)]
    return jnp.min(jnp.stack(smallest))


def zero_weights(*weights: PyTree) -> Any:
    """Mask of the coordinates where all of these weights are 0."""
    leaves = [jax.tree.leaves(w) for w in weights]
    if all(len(v) == 1 for v in leaves):
        flags = [v[0] == 0 for v in leaves]
        return flags[0] if len(flags) == 1 else flags[0] & flags[1]
    # Spread a lone number over the structure of the other field.
    shape = max(weights, key=lambda w: len(jax.tree.leaves(w)))
    masks = [
        jax.tree.map(lambda _, w=w: w[0] == 0, shape)
        if len(w) == 1
        else jax.tree.unflatten(jax.tree.structure(shape), [v == 0 for v in w])
        for w in leaves
    ]
    return masks[0] if len(masks) == 1 else jax.tree.map(lambda a, b: a & b, *masks)
