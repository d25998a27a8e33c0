"""Nearest points of what a network's operations allow, each found by itself.

Weights and bias of a unit are one row (w, b); `units` is how many copies of an
activation there are, one for each unit that reads it.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree

# Newton steps on a multiplier, kept in a bracket: ample in units from 1e-3 to 1e2.
_NEWTON = 20


def onto_affine(
    rows: Float[Array, "m units d"], z: Float[Array, "m units"], x: Float[Array, "m d"]
) -> tuple[Array, Array]:
    """Nearest (row, z) with z = row.x, where x is data (its last entry is 1)."""
    away = _dot(rows, x[:, None]) - z
    away = away / (1 + _dot(x, x))[:, None]
    return rows - away[..., None] * x[:, None], z + away


def onto_product(
    rows: Float[Array, "m units d"],
    a: Float[Array, "m units k"],
    z: Float[Array, "m units"],
) -> tuple[Array, Array, Array]:
    """Nearest (w, b, a, z) with z = w.a + b, d = k + 1: the multiplier l in (-1, 1).

    w + a = (w0 + a0) / (1 + l), w - a = (w0 - a0) / (1 - l), b = b0 - l, z = z0 + l,
    and w.a = (|w + a|^2 - |w - a|^2) / 4 leaves one equation that increases with l,

    |w0 - a0|^2 / (4 (1 - l)^2) - |w0 + a0|^2 / (4 (1 + l)^2) + z0 - b0 + 2 l = 0.

    Where w0 = a or w0 = -a, the nearest point may not be unique and is not found.
    """
    w, b = rows[..., :-1], rows[..., -1]
    plus, minus, s = w + a, w - a, z - b
    p, q = _dot(plus, plus) / 4, _dot(minus, minus) / 4

    def newton(_: Any, bracket: tuple[Array, Array, Array]) -> tuple[Array, ...]:
        low, high, lam = bracket
        # Times (1 - l^2)^2, which has no poles.
        up, down = 1 + lam, 1 - lam
        f = q * up**2 - p * down**2 + (up * down) ** 2 * (s + 2 * lam)
        slope = 2 * (q * up + p * down + (up * down) ** 2)
        slope = slope - 4 * lam * up * down * (s + 2 * lam)
        low, high = jnp.where(f < 0, lam, low), jnp.where(f < 0, high, lam)
        ahead = lam - f / jnp.where(slope > 0, slope, 1)
        inside = (slope > 0) & (ahead >= low) & (ahead <= high)
        return low, high, jnp.where(inside, ahead, (low + high) / 2)

    end = jnp.full_like(p, 1 - jnp.finfo(p.dtype).eps)
    start = (-end, end, jnp.zeros_like(p))
    lam = jax.lax.fori_loop(0, _NEWTON, newton, start)[2]
    plus, minus = plus / (1 + lam)[..., None], minus / (1 - lam)[..., None]
    moved = jnp.concatenate([(plus + minus) / 2, (b - lam)[..., None]], axis=-1)
    return moved, (plus - minus) / 2, z + lam


def onto_relu(z: Array, a: Array, units: int) -> tuple[Array, Array]:
    """Nearest (z, a, .., a) with a = max(z, 0) to z and copies of mean a."""
    on = jnp.maximum((z + units * a) / (1 + units), 0)
    off = jnp.minimum(z, 0)
    costs = [(z - v) ** 2 + units * (a - jnp.maximum(v, 0)) ** 2 for v in (on, off)]
    z = jnp.where(costs[0] <= costs[1], on, off)
    return z, jnp.maximum(z, 0)


def onto_step(z: Array, a: Array, units: int, margin: Array) -> tuple[Array, Array]:
    """Nearest (z, a, .., a) with a = 1 where z >= margin, 0 where z <= -margin."""
    on, off = jnp.maximum(z, margin), jnp.minimum(z, -margin)
    up = (z - on) ** 2 + units * (1 - a) ** 2 <= (z - off) ** 2 + units * a**2
    return jnp.where(up, on, off), up.astype(z.dtype)


def onto_margin(
    z: Float[Array, "m classes"], y: Array, margin: Array
) -> Float[Array, "m classes"]:
    """Nearest z with z_y >= z_k + margin for all k but y.

    z_y is the largest mean of itself and of the first few z_k + margin, largest first.
    """
    own = jnp.arange(z.shape[1]) == y[:, None]
    mine = jnp.sum(jnp.where(own, z, 0), axis=1)
    rivals = -jnp.sort(jnp.where(own, jnp.inf, -(z + margin)), axis=1)[:, :-1]
    counts = 2 + jnp.arange(rivals.shape[1], dtype=z.dtype)
    means = (mine[:, None] + jnp.cumsum(rivals, axis=1)) / counts
    top = jnp.maximum(mine, jnp.max(means, axis=1))[:, None]
    return jnp.where(own, top, jnp.minimum(z, top - margin))


def _dot(a: Array, b: Array) -> Array:
    return jnp.einsum("...i,...i->...", a, b, precision=tree.PRECISION)
