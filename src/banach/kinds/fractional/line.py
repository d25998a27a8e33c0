"""A quadratic plus lam |z| over apart + max(far, |z|): its global minimum, closed."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array


class Line(eqx.Module):
    """base + slope (z - x) + bend/2 (z - x)^2 + lam |z| over apart + max(far, |z|).

    bend > 0 and far, apart >= 0; `alone` says that both are 0, and so the denominator
    at z = 0, which is no candidate then. Leaves of one shape, or that of a number.
    """

    x: Array
    slope: Array
    bend: Array
    base: Array
    lam: Array
    apart: Array
    far: Array
    alone: Array


def least(line: Line, level: Any) -> tuple[Array, Array]:
    """(z, value) of the least ratio; with a level of numerator - level denominator.

    On each of the four pieces, s = +-1, |z| <= far and |z| >= far, the minimiser is
    known: where the denominator is constant that of a quadratic; else, with w = s z,
    p and q the coefficients of bend/2 w^2 + p w + q and N that quadratic at -apart,
    w = sqrt(2 N / bend) - apart, or far where that is less or N is negative.
    """
    x, slope, bend, apart, far = line.x, line.slope, line.bend, line.apart, line.far

    def value(z: Array) -> Array:
        d = z - x
        top = line.base + d * (slope + bend / 2 * d) + line.lam * jnp.abs(z)
        bottom = apart + jnp.maximum(far, jnp.abs(z))
        if level is not None:
            return top - level * bottom
        return top / bottom

    found = []
    for s in (1, -1):
        inside = jnp.clip(s * (x - slope / bend) - line.lam / bend, 0, far)
        p = s * (slope - bend * x) + line.lam
        if level is None:
            q = line.base - slope * x + bend / 2 * x**2
            N = bend / 2 * apart**2 - p * apart + q
            root = jnp.sqrt(jnp.where(N > 0, 2 * N / bend, 1))
            outside = jnp.where(N > 0, root, 0) - apart
        else:
            outside = (level - p) / bend
        outside = jnp.maximum(outside, far)
        if level is None:
            inside = jnp.where(line.alone, outside, inside)
        found += [s * inside, s * outside]
    z, best = found[0], value(found[0])
    for other in found[1:]:
        f = value(other)
        z, best = jnp.where(f < best, other, z), jnp.minimum(f, best)
    return z, best
