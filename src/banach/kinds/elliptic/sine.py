"""Discrete sine modes: the eigenvectors of the Dirichlet Laplacian on a grid."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from banach.core import tree


@functools.lru_cache(maxsize=8)
def sine_modes(n: int) -> Float[np.ndarray, "n n"]:
    """The orthonormal symmetric matrix sqrt(2 / (n + 1)) sin(pi i j / (n + 1))."""
    i = np.arange(1, n + 1)
    # Reduced before the sine, whose argument would lose digits otherwise.
    turns = np.outer(i, i) % (2 * (n + 1))
    return np.sqrt(2 / (n + 1)) * np.sin(np.pi * turns / (n + 1))


def second_differences(n: int) -> Float[np.ndarray, " n"]:
    """Eigenvalues 4 sin^2(pi i / (2 n + 2)) of tridiag(-1, 2, -1), ascending."""
    return 4 * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1))) ** 2


def grid_eigenvalues(n: int, dims: int) -> Float[np.ndarray, "*grid"]:
    """Those of the sum of second differences over one or two axes of a grid."""
    one = second_differences(n)
    return one if dims == 1 else one[:, None] + one[None]


def transform(v: Float[Array, "*grid"]) -> Float[Array, "*grid"]:
    """Coefficients in sine modes along every axis; its own inverse."""
    S = jnp.asarray(sine_modes(v.shape[0]), v.dtype)
    out = jnp.matmul(S, v, precision=tree.PRECISION)
    return out if v.ndim == 1 else jnp.matmul(out, S, precision=tree.PRECISION)
