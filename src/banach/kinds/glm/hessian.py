"""Dense Hessians of the losses, one large matrix product each."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core.tree import PRECISION
from banach.parts.sparse import SparseMatrix


def scalar_hessian(
    A: Any, d: Float[Array, " n"], intercept: bool
) -> Float[Array, "q q"]:
    """[A 1]' diag(d) [A 1] for d >= 0, as B'B with B = sqrt(d) A and a border."""
    if isinstance(A, SparseMatrix):
        return _sparse_hessian(A, d, intercept)
    # The guard keeps the derivative of the root finite where d is 0.
    root = jnp.where(d > 0, jnp.sqrt(jnp.where(d > 0, d, 1)), 0)
    B = root[:, None] * A
    H = jnp.matmul(B.T, B, precision=PRECISION)
    if not intercept:
        return H
    side = jnp.matmul(root, B, precision=PRECISION)
    return _bordered(H, side, jnp.sum(d))


def _bordered(H: Array, side: Array, corner: Array) -> Array:
    last = jnp.concatenate([side, corner[None]])
    upper = jnp.concatenate([H, side[None]], axis=0)
    return jnp.concatenate([upper, last[:, None]], axis=1)


def _sparse_hessian(A: SparseMatrix, d: Array, intercept: bool) -> Array:
    """[A 1]' diag(d) [A 1] for any d."""
    H = A.gram(d)
    return _bordered(H, A.rmatvec(d), jnp.sum(d)) if intercept else H


def _sparse_softmax(
    A: SparseMatrix, weigh: Callable[[Array], Array], z: Array, intercept: bool
) -> Array:
    """One such matrix for every pair of classes, in turn."""
    n, k = z.shape
    p = jax.nn.softmax(z, axis=-1)
    pairs = p[:, :, None] * (jnp.eye(k, dtype=p.dtype) - p[:, None, :])
    curved = weigh(pairs.reshape(n, k * k)).T
    H = jax.lax.map(lambda d: _sparse_hessian(A, d, intercept), curved)
    q = H.shape[-1]
    return H.reshape(k, k, q, q).transpose(2, 0, 3, 1).reshape(q * k, q * k)


def softmax_hessian(
    A: Any,
    weigh: Callable[[Array], Array],
    z: Float[Array, "n k"],
    intercept: bool,
) -> Float[Array, "qk qk"]:
    """H[(j, k), (l, m)] = sum_i w_i a_ij a_il p_ik (delta_km - p_im)."""
    if isinstance(A, SparseMatrix):
        return _sparse_softmax(A, weigh, z, intercept)
    if intercept:
        A = jnp.concatenate([A, jnp.ones_like(A[:, :1])], axis=1)
    d, k = A.shape[1], z.shape[1]
    p = jax.nn.softmax(z, axis=-1)
    B = (A[:, :, None] * p[:, None, :]).reshape(-1, d * k)
    cross = jnp.matmul(B.T, weigh(B), precision=PRECISION)
    own = jnp.matmul(weigh(A).T, B, precision=PRECISION)
    own = own.reshape(d, d, k).transpose(2, 0, 1)
    each = jnp.arange(k)
    H = -cross.reshape(d, k, d, k)
    return H.at[:, each, :, each].add(own).reshape(d * k, d * k)
