"""Armijo's rule on F = f + h from x towards y, without values of h."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import tree

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]


def search(
    value: Callable[[Vector], Any],
    x: Vector,
    f: Scalar,
    slope: Scalar,
    y: Vector,
    fall: Scalar,
    decrease: Any,
) -> tuple[Vector, Scalar, Int[Array, ""], Bool[Array, ""]]:
    """The point, f there, trials, success: x + t (y - x), t the first of 1, 1/2 ..

    with f(x + t d) - f(x) - t slope <= (1 - decrease) t fall, slope = <grad f(x), d>.
    `fall` is at most -(slope + h(y) - h(x)); h is convex, so that Armijo's rule
    F(x + t d) <= F(x) + decrease t (slope + h(y) - h(x)) follows. Where the difference
    drowns in rounding the step is taken.
    """
    slack = 32 * jnp.finfo(f.dtype).eps * abs(f)

    def trial(carry):
        t, _, _, _, n = carry
        at = jnp.where(t == 1, y, x + t * (y - x))
        f_at = jnp.asarray(value(at), f.dtype)
        above = f_at - f - t * slope
        ok = (above <= (1 - decrease) * t * fall + slack) & jnp.isfinite(f_at)
        return t / 2, at, f_at, ok, n + 1

    zero = jnp.zeros((), jnp.int32)
    first = (jnp.ones((), f.dtype), x, f, zero > 0, zero)
    _, at, f_at, ok, n = jax.lax.while_loop(lambda c: ~c[3] & (c[4] < 40), trial, first)
    at, f_at = tree.where(ok, (at, f_at), (x, f))
    return at, f_at, n, ok
