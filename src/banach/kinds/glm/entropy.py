"""Relative entropy without cancellation."""

import jax.numpy as jnp
from jaxtyping import Array


def relative_entropy(q: Array, p: Array, d: Array) -> Array:
    """q log(q / p) - q + p >= 0 for q, p >= 0, given d = p - q.

    = q phi(d / q) with phi(t) = t - log(1 + t); near t = 0 by the series in
    s = t / (2 + t): phi = t s - 2 s^3 (1/3 + s^2/5 + s^4/7 + ...).
    """
    info = jnp.finfo(q.dtype)
    live = q > float(info.tiny)
    some = jnp.where(live, q, 1)
    t = d / some
    near = jnp.abs(t) < 0.1
    t0 = jnp.where(near, t, 0)
    s = t0 / (2 + t0)
    s2 = jnp.square(s)
    tail = 1 / 3 + s2 * (1 / 5 + s2 * (1 / 7 + s2 * (1 / 9 + s2 * (1 / 11 + s2 / 13))))
    close = some * (t0 * s - 2 * s * s2 * tail)
    ratio = jnp.minimum(jnp.where(live, p, 1) / some, float(info.max))
    # Not log1p(t): XLA's is wrong by up to 240 ulp for moderate t on a CPU.
    log = jnp.log(jnp.where(near, 1, ratio))
    return jnp.where(live, jnp.where(near, close, d - some * log), p)
