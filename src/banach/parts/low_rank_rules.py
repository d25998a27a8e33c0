"""What optimisers with moments in a low-rank space share."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Matrix = Float[Array, "m n"]


def wide(g: Matrix) -> Matrix:
    """The matrix, or its transpose, so that it has no more rows than columns."""
    return g if g.shape[0] <= g.shape[1] else g.T


def product(A: Array, B: Array) -> Array:
    """A B, as exactly as the dtype allows."""
    return jnp.matmul(A, B, precision="highest")


def moments(R: Array, m: Array, v: Array, b1: Any, b2: Any, eps: Any) -> tuple:
    """(m / (sqrt(v) + eps), m, v) after R, no bias corrected."""
    m, v = b1 * m + (1 - b1) * R, b2 * v + (1 - b2) * R**2
    below = jnp.sqrt(v) + eps
    return m / jnp.where(below > 0, below, 1), m, v


def unbiased(b1: Any, b2: Any, t: Array) -> Array:
    """What frees m / sqrt(v) of the bias of both."""
    return jnp.sqrt(1 - b2**t) / (1 - b1**t)


def norm(x: Array, axis: int | None = None) -> Array:
    """Euclidean, kept as an axis of 1; with derivative 0 at 0."""
    square = jnp.sum(x**2, axis=axis, keepdims=True)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def ratio(a: Array, b: Array) -> Array:
    """a / b, 0 where b is."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)


def limited(S: Array, last: Array, growth: Any) -> tuple[Array, Array]:
    """(S, its norm), the norm at most `growth` times the last one, where one was."""
    size = norm(S).reshape(())
    most = growth * last
    factor = jnp.where((last > 0) & (size > most), ratio(most, size), 1)
    return factor * S, factor * size


def gaussian(key: Array, rank: int, rows: int, dtype: Any) -> Array:
    """rank x rows of variance 1 / rank: norms are kept in the mean."""
    return jax.random.normal(key, (rank, rows), dtype) / jnp.sqrt(
        jnp.asarray(rank, dtype)
    )


def leading(G: Matrix, rank: int) -> Array:
    """Left singular vectors of the largest values, their largest entries positive."""
    U = jnp.linalg.svd(G, full_matrices=False)[0][:, :rank]
    largest = jnp.argmax(jnp.abs(U), axis=0)[None]
    return U * jnp.where(jnp.take_along_axis(U, largest, axis=0) < 0, -1, 1)
