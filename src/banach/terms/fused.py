"""The one-dimensional fused lasso: small entries and small steps between them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.core.rounding import gam, least
from banach.core.validated_fields import hyper
from banach.terms.term import (
    Norm,
    Scalar,
    arrays,
    charge,
    positive,
    rebuild,
    single,
    soft,
    spread,
)
from banach.terms.total_variation import TotalVariation1D

# Newton steps of the dual factor; it is safe after any number of them.
STEPS = 50


class FusedL1(Norm):
    """g(x) = l1 sum |x_i| + tv sum |x_{i+1} - x_i|, on one 1-D array.

    The prox is the soft threshold of that of the total variation, exact. The conjugate
    is 0 at v = u + D'z with |u| <= l1 and |z| <= tv, (D'z)_i = z_{i-1} - z_i; the u of
    least maximum is the total variation prox of v. With l1 = 0 everything counts as
    unpenalised: v must then sum to 0, which scaling cannot repair.

    Args:
        l1: a number >= 0, the weight of the entries.
        tv: a number >= 0, the weight of the steps.

    Source: Tibshirani, Saunders, Rosset, Zhu and Knight, J. Royal Statistical Society B
    67 (2005); Friedman, Hastie, Hofling and Tibshirani, Pathwise coordinate
    optimization, Annals of Applied Statistics 1 (2007), proposition 1.

    Example:
        >>> bn.FusedL1(0.5, 1.0).prox(np.array([0.0, 0.0, 6.0, 6.0]), 1.0)
        Array([0., 0., 5., 5.], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    l1: Any = hyper("FusedL1 l1", "nonnegative", scalar=True)
    tv: Any = hyper("FusedL1 tv", "nonnegative", scalar=True)

    def value(self, x: PyTree) -> Scalar:
        """l1 times the sum of |x_i|, tv times the sum of absolute steps."""
        x = single(self, x, 1)
        flat = jnp.asarray(self.l1, x.dtype) * jnp.sum(jnp.abs(x))
        return flat + TotalVariation1D(self.tv).value(x)

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """soft(prox of t tv sum |x_{i+1} - x_i| at v, t l1)."""
        w = single(self, v, 1)
        level = TotalVariation1D(self.tv).prox(w, t)
        k = jnp.asarray(t, w.dtype) * jnp.asarray(self.l1, w.dtype)
        return rebuild(v, soft(level, k))

    @property
    def unpenalised(self) -> Any:
        """Everything if l1 is 0."""
        return self.l1 == 0

    def floor(self, size: int, dtype: Any) -> Scalar:
        """l1: a 2-norm is at most the 1-norm."""
        return jnp.asarray(self.l1, dtype)

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of l1 |x| - u x, and of tv |Dx| - z Dx, for v = u + D'z.

        It holds for every z: only the rounding of u = v - D'z is charged.
        """
        (e,) = spread(arrays(v), e)
        x, v, e = single(self, x, 1), single(self, v, 1), single(self, e, 1)
        l1, tv = jnp.asarray(self.l1, x.dtype), jnp.asarray(self.tv, x.dtype)
        u, z, off = self._parts(v)
        flat = (l1 - jnp.abs(u)) * jnp.abs(x) + _against(u, x)
        step = jnp.diff(x)
        steep = (tv - jnp.abs(z)) * jnp.abs(step) + _against(z, step)
        value = jnp.sum(flat) + jnp.sum(steep)
        a, tiny, k = jnp.abs(x), 4 * least(x.dtype), 2 * x.size + 8
        # Terms of either sign, where u is above l1 by its rounding.
        over = jnp.sum(jnp.maximum(jnp.abs(u) - l1, 0) * a)
        moved = jnp.sum((off + e) * a) + gam(k, x.dtype) * 2 * over
        moved = moved + tiny * (x.size * (1 + l1 + tv) + jnp.sum(a) + jnp.sum(abs(v)))
        live = l1 > 0
        value = jnp.where(live, value, 0)
        return value, charge(value, jnp.where(live, moved, 0), k)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """Newton on max |u(s)| = l1, then less by what u exceeds l1 with rounding."""
        (e,) = spread(arrays(v), e)
        v, e = single(self, v, 1), single(self, e, 1)
        l1 = jnp.asarray(self.l1, v.dtype)
        eps = jnp.finfo(v.dtype).eps

        def body(state):
            s, k, _ = state
            # The level of a piece moves by the mean of v over it: max |u| is convex in
            # s and 0 at 0, so that Newton comes down to the root and stays above.
            u, du = jax.jvp(lambda r: self._level(r * v), (s,), (jnp.ones_like(s),))
            top = jnp.max(jnp.abs(u))
            first = jnp.abs(u) >= top * (1 - 8 * eps)
            slope = jnp.max(jnp.where(first, jnp.sign(u) * du, 0))
            new = s - jnp.maximum(top - l1, 0) / positive(slope)
            return jnp.clip(new, 0, s), k + 1, s - new > 2 * eps * s

        s = jnp.ones_like(l1)
        start = (s, jnp.asarray(0), jnp.asarray(True))
        s, _, _ = jax.lax.while_loop(lambda c: c[2] & (c[1] < STEPS), body, start)
        u, _, off = self._parts(s * v)
        # s v is rounded once more; u and z shrink together, and z stays within tv.
        off = off + 2 * eps * jnp.abs(s * v) + s * e + 4 * least(v.dtype)
        top = jnp.max((jnp.abs(u) + off) * (1 + 4 * eps))
        ratio = jnp.where(l1 > 0, top / positive(l1), 0)
        out = jnp.where(l1 > 0, s, 1) * (1 - 2 * eps) / jnp.maximum(ratio, 1)
        whole = (s == 1) & (ratio <= 1)
        return jnp.where(whole, jnp.ones_like(s), jnp.where(ratio >= 0, out, ratio))

    def _level(self, v: Array) -> Array:
        return TotalVariation1D(self.tv).prox(v, 1.0)

    def _parts(self, v: Array) -> tuple[Array, Array, Array]:
        """u, z with v = u + D'z and |z| <= tv, and the rounding of u."""
        tv = jnp.asarray(self.tv, v.dtype)
        z = jnp.clip(jnp.cumsum(self._level(v) - v)[:-1], -tv, tv)
        none = jnp.zeros_like(v[:1])
        before, after = jnp.append(none, z), jnp.append(z, none)
        u = (v - before) + after
        size = jnp.abs(v) + jnp.abs(before) + jnp.abs(after) + jnp.abs(u)
        return u, z, gam(4, v.dtype) * size + 4 * least(v.dtype)


def _against(u: Array, x: Array) -> Array:
    """|u| |x| - u x, 0 or twice a product."""
    return jnp.where((u > 0) == (x > 0), 0, 2 * jnp.abs(u * x))
