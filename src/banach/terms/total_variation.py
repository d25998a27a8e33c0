"""One-dimensional total variation: g(x) = lam sum |x_{i+1} - x_i|."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core.validated_fields import hyper
from banach.terms.term import Norm, Scalar, rebuild, single


class TotalVariation1D(Norm):
    """g(x) = lam sum |x_{i+1} - x_i|, on one 1-D array.

    The prox is exact: the taut-string pass of Condat, "A direct algorithm for 1-D
    total variation denoising" (2013), finds the pieces in one sweep (linear time
    on usual data, quadratic at worst), and each piece is then one mean plus the
    pull of its two borders, which also gives the derivative. The conjugate is
    finite only where sum v = 0, which scaling cannot repair: none is offered.

    Args:
        lam: a number >= 0.

    Example:
        >>> bn.TotalVariation1D(1.0).prox(np.array([0.0, 0.0, 6.0, 6.0]), 1.0)
        Array([0.5, 0.5, 5.5, 5.5], dtype=float32)
    """

    oracles = frozenset({"prox"})

    lam: Any = hyper("TotalVariation1D lam", "nonnegative", scalar=True)

    def value(self, x: PyTree) -> Scalar:
        """Lam times the sum of absolute steps."""
        x = single(self, x, 1)
        return jnp.asarray(self.lam, x.dtype) * jnp.sum(jnp.abs(jnp.diff(x)))

    def prox(self, v: PyTree, t: Any) -> PyTree:
        """The exact minimiser, piecewise constant."""
        w = single(self, v, 1)
        k = jnp.asarray(t, w.dtype) * jnp.asarray(self.lam, w.dtype)
        x = w if w.size < 2 else _denoise(w, k)
        return rebuild(v, x)


def _denoise(y: Float[Array, " n"], lam: Scalar) -> Float[Array, " n"]:
    middle = jax.lax.stop_gradient(jnp.mean(y))  # a common offset must not cancel
    y = y - middle
    jumps = _pieces(jax.lax.stop_gradient(y), jax.lax.stop_gradient(lam))
    label = jnp.cumsum(jnp.abs(jumps))
    zeros = jnp.zeros_like(y)
    length = zeros.at[label].add(1)
    left = zeros.at[label].add(jumps.astype(y.dtype))
    right = jnp.append(left[1:], jnp.zeros_like(left[:1]))
    total = zeros.at[label].add(y)
    level = (total + lam * (right - left)) / jnp.maximum(length, 1)
    return level[label] + middle


def _pieces(y: Float[Array, " n"], lam: Scalar) -> Int[Array, " n"]:
    """Sign of the jump where a piece starts, 0 elsewhere."""
    n = y.size

    def body(s):
        k, k0, km, kp, umin, umax, vmin, vmax, jumps, _ = s
        last = k == n - 1
        ahead = y[jnp.minimum(k + 1, n - 1)]
        low, high = umin + ahead - vmin, umax + ahead - vmax
        down = jnp.where(last, umin < 0, low < -lam)
        up = ~down & jnp.where(last, umax > 0, high > lam)
        start = jnp.maximum(jnp.where(down, km, kp), k0) + 1
        jump = (down | up) & (start < n)
        done = last & ~jump
        jumps = jumps.at[jnp.where(jump, start, n)].set(
            jnp.where(down, -1, 1), mode="drop"
        )
        # Grow the piece by one sample, pushing its bounds where the string is taut.
        size = (k + 2 - k0).astype(y.dtype)
        push, pull = low >= lam, high <= -lam
        grown = (
            k + 1,
            k0,
            jnp.where(push, k + 1, km),
            jnp.where(pull, k + 1, kp),
            jnp.where(push, lam, low),
            jnp.where(pull, -lam, high),
            jnp.where(push, vmin + (low - lam) / size, vmin),
            jnp.where(pull, vmax + (high + lam) / size, vmax),
        )
        # Or close it and start the next; at the end only one side restarts.
        z = y[jnp.minimum(start, n - 1)]
        fresh = (
            start,
            start,
            jnp.where(last & up, km, start),
            jnp.where(last & down, kp, start),
            jnp.where(last & up, z - lam - vmin, lam),
            jnp.where(last & down, z + lam - vmax, -lam),
            jnp.where(down, z, jnp.where(last, vmin, z - 2 * lam)),
            jnp.where(down, jnp.where(last, vmax, z + 2 * lam), z),
        )
        pick = [jnp.where(jump, f, g) for f, g in zip(fresh, grown, strict=True)]
        return (*pick, jumps, done)

    zero = jnp.zeros((), jnp.int32)
    first = (zero, zero, zero, zero, lam, -lam, y[0] - lam, y[0] + lam)
    blank = jnp.zeros(n, jnp.int32)
    state = (*first, blank, jnp.zeros((), bool))
    return jax.lax.while_loop(lambda s: ~s[-1], body, state)[-2]
