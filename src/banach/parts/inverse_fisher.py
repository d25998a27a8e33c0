"""The inverse of an empirical Fisher matrix, which is never formed."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree


def inverse_fisher_product(
    G: Float[Array, "m d"], x: Float[Array, " d"], damping: Any
) -> Float[Array, " d"]:
    """F^-1 x for F = damping I + G'G / m, in O(d m + m^3).

    (x - G' (damping m I + G G')^-1 G x) / damping

    Args:
        G: gradients as rows.
        x: a vector.
        damping: a number > 0.

    Source:
        Frantar, Kurtic and Alistarh 2021, M-FAC, section 3 (Woodbury).
    """
    x = jnp.asarray(x)
    u = _solve(G, jnp.matmul(G, x, precision=tree.PRECISION), damping)
    return (x - jnp.matmul(G.T, u, precision=tree.PRECISION)) / damping


def inverse_fisher_diagonal(G: Float[Array, "m d"], damping: Any) -> Float[Array, " d"]:
    """The diagonal of F^-1, in O(d m^2).

    The optimal brain surgeon takes the weight with the least w_q^2 / (2 [F^-1]_qq)
    away, and moves the others by -w_q F^-1 e_q / [F^-1]_qq.

    Args:
        G: gradients as rows.
        damping: a number > 0.

    Source:
        Frantar, Kurtic and Alistarh 2021, M-FAC, section 3.
    """
    return (1 - jnp.sum(G * _solve(G, G, damping), axis=0)) / damping


def _solve(G: Array, right: Array, damping: Any) -> Array:
    m = len(G)
    K = jnp.matmul(G, G.T, precision=tree.PRECISION)
    return jnp.linalg.solve(K + m * damping * jnp.eye(m, dtype=K.dtype), right)
