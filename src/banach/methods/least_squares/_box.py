"""Linear least squares in a box, by an active set (Stark and Parker 1995)."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree
from banach.parts import least_squares as ls

Vector = Float[Array, " p"]


def bounded(model: ls.LinearModel, damping: Any, low: Vector, high: Vector) -> Vector:
    """argmin ||T z + q||^2 + damping ||z||^2 over low <= z <= high, from z = 0.

    Needs damping > 0, and 0 in the box. What is held at a bound stays there while the
    others go to their minimiser, as far as they meet no bound themselves; what they
    meet is held too. Arrived, the one that is pulled away most is let go. The objective
    falls from one minimiser to the next, so that no set comes twice; rounding is kept
    from that by a limit of turns, after which the best point so far stands.
    """
    T, q = model.T, model.q
    p, eps = T.shape[1], jnp.finfo(q.dtype).eps
    root = jnp.sqrt(damping)

    def slope(z: Vector) -> tuple[Vector, Array]:
        """Half the gradient, and what rounding may have made of it."""
        rest = _mul(T, z) + q
        noise = 16 * eps * (tree.norm(rest) + damping * tree.norm(z))
        return _mul(T.T, rest) + damping * z, noise

    def turn(loop: Any) -> Any:
        z, held, count, _ = loop
        free = jnp.where(held, 0, T)
        Q, S = jnp.linalg.qr(jnp.concatenate([free, root * jnp.eye(p, dtype=q.dtype)]))
        rest = jnp.concatenate([_mul(T, z) + q, jnp.where(held, 0, root * z)])
        d = -jax.scipy.linalg.solve_triangular(S, _mul(Q.T, rest))
        d = jnp.where(held, 0, d)
        room = jnp.where(d < 0, low - z, jnp.where(d > 0, high - z, jnp.inf))
        far = room / jnp.where(d == 0, 1, d)
        far = jnp.where(d == 0, jnp.inf, jnp.maximum(far, 0))
        share = jnp.minimum(jnp.min(far), 1)
        met = (far <= share) & (share < 1)
        bound = jnp.where(d < 0, low, high)
        z = jnp.where(met, bound, jnp.clip(z + share * d, low, high))
        held = held | met
        g, noise = slope(z)
        pull = jnp.where(held, jnp.where(z <= low, -g, g), 0)
        pull = jnp.where(low == high, 0, pull)
        worst = jnp.argmax(pull)
        arrived = share >= 1
        done = arrived & (pull[worst] <= noise)
        let = arrived & ~done & (jnp.arange(p) == worst)
        return z, held & ~let, count + 1, done

    def more(loop: Any) -> Array:
        return ~loop[3] & (loop[2] < 20 + 4 * p)

    zero = jnp.zeros(p, q.dtype)
    g, _ = slope(zero)
    held = ((zero <= low) & (g >= 0)) | ((zero >= high) & (g <= 0))
    start = (zero, held, jnp.zeros((), jnp.int32), jnp.asarray(False))
    return jax.lax.while_loop(more, turn, start)[0]


def _mul(A: Array, b: Array) -> Array:
    return jnp.matmul(A, b, precision=tree.PRECISION)
