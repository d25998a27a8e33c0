"""The sorted l1 norm (SLOPE, OWL): a weight for each rank, not each coordinate."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from banach.core.problem import Misuse
from banach.core.rounding import gam, least
from banach.core.validated_fields import hyper
from banach.terms.term import (
    Norm,
    Scalar,
    arrays,
    charge,
    concrete,
    positive,
    rebuild,
    safe_factor,
    single,
    spread,
)

Vector = Float[Array, " n"]


class SortedL1(Norm):
    """g(x) = sum_i lam_i |x|_(i), on one array, |x|_(1) >= |x|_(2) >= ... its sizes.

    lam_1 >= lam_2 >= ... >= 0. One number is an l1 norm, (lam, 0, ..., 0) is
    `LInf(lam)`; large coefficients that are nearly alike are made equal. The prox
    sorts and pools adjacent violators, in linear time beside the sort.

    The dual ball is {v: |v|_(1) + ... + |v|_(k) <= lam_1 + ... + lam_k for all k}.

    Args:
        lam: a number >= 0, or one for each rank, in decreasing order.

    Source: Bogdan, van den Berg, Sabatti, Su and Candes, "SLOPE - adaptive variable
    selection via convex optimization", Annals of Applied Statistics 9 (2015), section
    2; the dual norm: Zeng and Figueiredo, "The ordered weighted l1 norm" (2014).

    Example:
        >>> bn.SortedL1([2.0, 1.0, 0.0]).prox(np.array([4.0, -3.5, 0.5]), 1.0)
        Array([ 2.25, -2.25,  0.5 ], dtype=float32)
    """

    oracles = frozenset({"prox", "conjugate"})

    lam: Any = hyper("SortedL1 lam", "nonnegative")

    def __check_init__(self):
        if len(jax.tree.leaves(self.lam)) != 1 or np.ndim(self.lam) > 1:
            raise Misuse(
                "SortedL1 lam must be one number, or a vector with one weight a rank"
            )
        if concrete(self.lam) and np.any(np.diff(np.atleast_1d(self.lam)) > 0):
            raise Misuse(
                "SortedL1 lam must not increase, because the first weight is that of "
                "the largest coefficient: sort it, np.sort(lam)[::-1]"
            )

    def value(self, x: PyTree) -> Scalar:
        """Sum of lam_i |x|_(i)."""
        x, lam = self._setup(x)
        return jnp.sum(lam * jnp.flip(jnp.sort(jnp.abs(x).ravel())))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The nonincreasing vector nearest to |v|_(i) - t lam_i, where positive."""
        w, lam = self._setup(v)
        flat = w.ravel()
        order = _down(flat)
        # Not sign(v), which has derivative 0 at 0: weights may be 0.
        sign = jnp.where(flat < 0, -1, 1).astype(flat.dtype)
        z = (flat * sign)[order] - jnp.asarray(t, w.dtype) * lam
        block = _pool(jax.lax.stop_gradient(z))
        zeros = jnp.zeros_like(z)
        mean = zeros.at[block].add(z) / positive(zeros.at[block].add(1))
        x = mean[block]
        rest = jnp.where(jnp.isnan(x), x, jnp.zeros_like(x))
        x = zeros.at[order].set(jnp.where(x >= 0, x, rest))
        return rebuild(v, (sign * x).reshape(w.shape))

    @property
    def unpenalised(self) -> Any:
        """Everything if the first weight is 0; no coordinate otherwise."""
        return jnp.ravel(jnp.asarray(self.lam))[0] == 0

    def floor(self, size: int, dtype: Any) -> Scalar:
        """A number c with g(x) >= c ||x||, x of `size` entries; see `Partition`.

        The unit ball's extreme points have k equal entries 1 / (lam_1 + ... + lam_k).
        """
        lam = jnp.broadcast_to(jnp.asarray(self.lam, dtype), (size,))
        rank = jnp.arange(1, size + 1, dtype=lam.dtype)
        return jnp.min(jnp.cumsum(lam) / jnp.sqrt(rank)) * (1 - gam(size + 8, dtype))

    def fenchel_young(self, x: PyTree, v: PyTree, e: PyTree) -> tuple[Scalar, Scalar]:
        """Sum of (|x|_(k) - |x|_(k+1)) sum_{i<=k} (lam_i - |v_(i)|), and |v x| - v x.

        v_(i) is the entry of v at the i-th largest of |x|: sums by parts.
        """
        (e,) = spread(arrays(v), e)
        x, lam = self._setup(x)
        v, e, x = (a.ravel() for a in (single(self, v), single(self, e), x))
        order = _down(x)
        size = jnp.abs(x)[order]
        steps = size - jnp.append(size[1:], jnp.zeros((), x.dtype))
        most, held = jnp.cumsum(lam), jnp.cumsum(jnp.abs(v)[order])
        against = jnp.where((v > 0) == (x > 0), 0, 2 * jnp.abs(v * x))
        value = jnp.sum(steps * jnp.maximum(most - held, 0)) + jnp.sum(against)
        g, tiny = gam(v.size + 4, x.dtype), least(x.dtype)
        moved = jnp.sum(e * jnp.abs(x)) + g * jnp.sum(steps * (most + held))
        moved = moved + 4 * tiny * v.size * (size[0] + most[-1] + held[-1])
        live = lam[0] > 0
        value = jnp.where(live, value, 0)
        return value, charge(value, jnp.where(live, moved, 0), v.size + 8)

    def dual_scale(self, v: PyTree, e: PyTree) -> Scalar:
        """min over k of sums of the k first lam over those of |v| + e, rounded down."""
        (e,) = spread(arrays(v), e)
        v, lam = self._setup(v)
        size = jnp.flip(jnp.sort((jnp.abs(v) + single(self, e)).ravel()))
        most, held = jnp.cumsum(lam), jnp.cumsum(size)
        ratio = jnp.where(lam[0] > 0, jnp.max(held / positive(most)), 0)
        return safe_factor(ratio, 2 * v.size + 8)

    def _setup(self, x: PyTree) -> tuple[Array, Vector]:
        x = single(self, x)
        if np.ndim(self.lam) and np.shape(self.lam) != (x.size,):
            raise Misuse(
                f"SortedL1 has {np.size(self.lam)} weights, the variable has shape "
                f"{x.shape}: give one number, or {x.size} weights, one a rank"
            )
        return x, jnp.broadcast_to(jnp.asarray(self.lam, x.dtype), (x.size,))


def _down(x: Vector) -> Int[Array, " n"]:
    """The order of decreasing |x|."""
    return jnp.argsort(-jnp.abs(jax.lax.stop_gradient(x)), stable=True)


def _pool(z: Vector) -> Int[Array, " n"]:
    """The block of each entry in the nonincreasing least-squares fit of z.

    A stack of blocks, their sums and lengths, and the block at hand: it takes in the
    one below while that has the smaller mean, else it is pushed, and the next entry is
    the block at hand.
    """
    n = z.size
    at, put = jax.lax.dynamic_index_in_dim, jax.lax.dynamic_update_index_in_dim

    def body(s):
        i, top, total, length, own, size = s
        below = jnp.maximum(top - 1, 0)
        low, many = at(total, below, keepdims=False), at(length, below, keepdims=False)
        # Products, not quotients: equal entries of a block stay one mean.
        join = (top > 0) & (low * size < own * many)
        # A block that joins is written down too, where it will be overwritten.
        total, length = put(total, own, top, 0), put(length, size, top, 0)
        item = at(z, jnp.minimum(i, n - 1), keepdims=False)
        return (
            jnp.where(join, i, i + 1),
            jnp.where(join, top - 1, top + 1),
            total,
            length,
            jnp.where(join, low + own, item),
            jnp.where(join, many + size, jnp.ones_like(size)),
        )

    # The last entry has been pushed when the next but one would come.
    blank, one = jnp.zeros_like(z), jnp.ones((), z.dtype)
    zero = jnp.zeros((), jnp.int32)
    start = (zero + 1, zero, blank, blank, z[0], one)
    _, top, _, length, _, _ = jax.lax.while_loop(lambda s: s[0] <= n, body, start)
    length = jnp.where(jnp.arange(n) < top, length, 0)
    ends = jnp.cumsum(length.astype(jnp.int32))
    return jnp.searchsorted(ends, jnp.arange(n, dtype=jnp.int32), side="right")
