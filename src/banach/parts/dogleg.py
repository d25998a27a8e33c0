"""Powell's bent path from 0 through the Cauchy point to Newton's step."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]


def descent(g: Vector, times: Callable[[Vector], Array]) -> tuple[Vector, Scalar]:
    """(up, length): ||J z + r|| is least along -g at -length up, its Cauchy point.

    g = J'r is the gradient of half its square at 0, `up` is g / ||g||, and `times`
    multiplies by J.
    """
    steep = tree.norm(g)
    up = g / jnp.where(steep > 0, steep, 1)
    curved = jnp.square(tree.norm(times(up)))
    return up, steep / jnp.where(curved > 0, curved, 1)


def bent(newton: Vector, up: Vector, length: Scalar, radius: Scalar) -> Vector:
    """The point of the path 0 -> -length up -> newton at this distance from 0.

    `newton` itself where that is inside.
    """
    cauchy = -length * up
    # The a in [0, 1] with ||cauchy + a (newton - cauchy)|| = radius, no cancellation.
    way = newton - cauchy
    along = jnp.vdot(cauchy, way, precision=tree.PRECISION)
    square = jnp.vdot(way, way, precision=tree.PRECISION)
    room = jnp.maximum((radius - length) * (radius + length), 0)
    root = jnp.sqrt(jnp.square(along) + square * room)
    inner = room / jnp.where(along + root > 0, along + root, 1)
    outer = (root - along) / jnp.where(square > 0, square, 1)
    a = jnp.minimum(jnp.where(along > 0, inner, outer), 1)
    path = jnp.where(length >= radius, -radius * up, cauchy + a * way)
    return jnp.where(tree.norm(newton) <= radius, newton, path)
