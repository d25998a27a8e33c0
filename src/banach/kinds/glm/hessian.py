"""Dense Hessians of the losses, one large matrix product each."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core.tree import PRECISION


def scalar_hessian(
    A: Float[Array, "n p"], d: Float[Array, " n"], intercept: bool
) -> Float[Array, "q q"]:
    """[A 1]' diag(d) [A 1] for d >= 0, as B'B with B = sqrt(d) A and a border."""
    # The guard keeps the derivative of the root finite where d is 0.
    root = jnp.where(d > 0, jnp.sqrt(jnp.where(d > 0, d, 1)), 0)
    B = root[:, None] * A
    H = jnp.matmul(B.T, B, precision=PRECISION)
    if not intercept:
        return H
    side = jnp.matmul(root, B, precision=PRECISION)
    last = jnp.concatenate([side, jnp.sum(d)[None]])
    upper = jnp.concatenate([H, side[None]], axis=0)
    return jnp.concatenate([upper, last[:, None]], axis=1)


def softmax_hessian(
    A: Float[Array, "n p"],
    weigh: Callable[[Array], Array],
    z: Float[Array, "n k"],
    intercept: bool,
) -> Float[Array, "qk qk"]:
    """H[(j, k), (l, m)] = sum_i w_i a_ij a_il p_ik (delta_km - p_im)."""
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
