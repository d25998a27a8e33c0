"""A first step for operators without a known constant."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from banach.core import tree


def along_itself(operator: Callable[[PyTree], PyTree], z: PyTree, F: PyTree) -> Array:
    """||h F|| over ||F(z - h F) - F||, F = operator(z): an estimate of 1 / L at z.

    1 where that tells nothing: F does not change along itself, or is not finite.
    """
    size, far = tree.norm(F), tree.norm(z)
    # Long enough that rounding spares three quarters of the quotient's digits.
    eps = jnp.finfo(tree.dtype(z)).eps
    length = eps ** (1 / 4) * jnp.where(far > 0, far, 1)
    move = -length / jnp.where(size > 0, size, 1)
    rise = tree.norm(tree.sub(operator(tree.axpy(move, F, z)), F))
    known = (rise > 0) & jnp.isfinite(rise)
    return jnp.where(known, length / jnp.where(known, rise, 1), 1)
