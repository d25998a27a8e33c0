"""The damping whose step ends at the border of a region (Hebden 1973, More 1978)."""

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.parts import least_squares as ls


def hebden(model, radius, damping):
    """(z, damping) with ||z|| within a tenth of the radius, or 0 and shorter.

    Newton's method on 1 / ||z|| - 1 / radius, safeguarded by bounds of the damping.
    """
    near, tiny = 0.1 * radius, jnp.finfo(radius.dtype).tiny
    free, full = ls.gauss_newton(model)
    size = tree.norm(free)
    steep = tree.norm(ls.slope(model))
    safe = jnp.where(size > 0, size, 1)
    square = model.T[: free.size]
    if square.shape[0] == free.size:
        bend = tree.norm(ls.transposed_solve(square, free / safe))
        low = (size / radius - 1) / jnp.square(bend)
        low = jnp.where(full & jnp.isfinite(low), jnp.maximum(low, 0), 0)
    else:
        low = jnp.zeros_like(size)
    high = jnp.maximum(steep / radius, tiny)
    start = jnp.minimum(jnp.maximum(damping, low), high)
    start = jnp.where(start > 0, start, steep / safe)

    def more(loop):
        return ~loop[-1]

    def turn(loop):
        damping, _, low, high, over, calls, _ = loop
        damping = jnp.where(damping > 0, damping, jnp.maximum(tiny, 0.001 * high))
        z, S = ls.damped(model, damping)
        size = tree.norm(z)
        now = size - radius
        # Where J has no full rank, the shortest step may be inside.
        falls = (low == 0) & (now <= over) & (over < 0)
        done = (jnp.abs(now) <= near) | falls | (calls >= 9) | ~jnp.isfinite(now)
        safe = jnp.where(size > 0, size, 1)
        bend = tree.norm(ls.transposed_solve(S, z / safe))
        change = now / radius / jnp.square(jnp.where(bend > 0, bend, 1))
        low = jnp.where(now > 0, jnp.maximum(low, damping), low)
        high = jnp.where(now < 0, jnp.minimum(high, damping), high)
        after = jnp.where(done, damping, jnp.maximum(low, damping + change))
        return after, z, low, high, now, calls + 1, done

    inside = size - radius <= near
    zero = jnp.zeros((), jnp.int32)
    loop = (start, free, low, high, size - radius, zero, inside)
    damping, z, *_ = jax.lax.while_loop(more, turn, loop)
    return z, jnp.where(inside, 0, damping)
