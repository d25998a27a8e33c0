"""Ritz vectors of a symmetric operator by Lanczos with full reorthogonalisation."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from banach.parts.grid_laplacians import GridLaplacian


def ritz_vectors(
    A: GridLaplacian, count: int, seed: int = 0
) -> Float[np.ndarray, "k n m"]:
    """`count` Ritz vectors by ascending Ritz value, of unit norm.

    Lanczos on the host from A times a random vector, as Kaneda et al. (2023) do:
    `count` products. Fewer come back where the Krylov space ends before.
    """
    shape, kind = A.extra.shape, jnp.result_type(A.extra)
    product = jax.jit(lambda v: A.matvec(v))

    def times(v):
        return np.asarray(product(v.reshape(shape).astype(kind)), float).ravel()

    v = times(np.random.default_rng(seed).standard_normal(shape))
    basis, alphas, betas = [v / np.linalg.norm(v)], [], []
    while True:
        w = times(basis[-1])
        alphas.append(basis[-1] @ w)
        V = np.array(basis)
        for _ in range(2):
            w = w - V.T @ (V @ w)
        size = np.linalg.norm(w)
        if len(basis) == count or size <= 1e-6 * np.linalg.norm(alphas):
            break
        betas.append(size)
        basis.append(w / size)
    T = np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1)
    _, Q = np.linalg.eigh(T)
    return (Q.T @ np.array(basis)).reshape(-1, *shape).astype(kind)
