"""Polar factors of matrices by products alone, and how far from orthogonal they are."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree

MUON = ((3.4445, -4.7750, 2.0315),) * 5
"""Coefficients of Muon's quintic, five steps: singular values end in [0.7, 1.2]."""
TURBO = (
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
"""The last four of five steps whose coefficients follow the interval (Dion's list)."""
Quintics = tuple[tuple[float, float, float], ...]


def newton_schulz(
    X: Float[Array, "*k m n"], steps: Quintics = MUON, aol: bool = False
) -> Float[Array, "*k m n"]:
    """A matrix of the singular vectors of X whose singular values are near 1.

    X+ = a X + (b S + c S^2) X with S = X X' (of the shorter side), a, b, c by step.
    First X is divided by its Frobenius norm, or with `aol` its rows (the shorter side)
    by sqrt(sum_j |S_ij|), which keeps all singular values at most 1 and makes them
    more alike, but moves the singular vectors unless the rows are orthogonal.

    Args:
        X: matrices, the last two axes; a matrix of zeros stays.
        steps: (a, b, c) of each step.
        aol: the almost-orthogonal scaling.

    Source:
        Jordan et al. 2024 (Muon); Boissin et al. 2025 (Turbo-Muon), for `aol`.
    """
    if X.shape[-2] > X.shape[-1]:
        return newton_schulz(X.mT, steps, aol).mT
    # The scale of X is taken out before squares are formed.
    big = jnp.max(jnp.abs(X), axis=(-2, -1), keepdims=True, initial=0.0)
    X = X / _or_one(big)
    if aol:
        S = X @ X.mT
        d = jnp.sqrt(_or_one(jnp.sum(jnp.abs(S), axis=-1, keepdims=True)))
        X, S = X / d, S / d / d.mT
    else:
        X = X / _or_one(jnp.linalg.norm(X, axis=(-2, -1), keepdims=True))
        S = X @ X.mT
    for k, (a, b, c) in enumerate(steps):
        S = S if k == 0 else X @ X.mT
        X = a * X + (b * S + c * S @ S) @ X
    return X


@jax.custom_batching.sequential_vmap
def thin_svd(X: Float[Array, "*k m n"]) -> Any:
    """(U, s, V') of the shorter side, one after another under vmap.

    Several batches of decompositions in one program can wait for each other for ever
    on CPUs of few cores (jaxlib 0.10, seen of `eigh`).

    Args:
        X: a matrix.
    """
    return tuple(jnp.linalg.svd(X, full_matrices=False))


def polar(X: Float[Array, "*k m n"]) -> Float[Array, "*k m n"]:
    """U V' of the thin singular value decomposition; null directions stay null."""
    U, s, V = thin_svd(X)
    eps = jnp.finfo(X.dtype).eps * max(X.shape[-2:])
    kept = jnp.where(s > eps * jnp.max(s, axis=-1, keepdims=True, initial=0.0), 1, 0)
    return jnp.matmul(
        U * kept.astype(X.dtype)[..., None, :], V, precision=tree.PRECISION
    )


def orthogonality_error(X: Float[Array, "m n"]) -> Float[Array, ""]:
    """||X'X - I||_F / sqrt(k) over the shorter side k: 0 where it is orthonormal."""
    S = X @ X.T if X.shape[0] < X.shape[1] else X.T @ X
    return jnp.linalg.norm(S - jnp.eye(len(S), dtype=X.dtype)) / jnp.sqrt(
        jnp.asarray(len(S), X.dtype)
    )


def by_shape(f: Callable[[Array], Array], leaves: list[Any]) -> list[Any]:
    """f of each leaf, f taking stacks: leaves of one shape go in together."""
    groups: dict[Any, list[int]] = {}
    for i, leaf in enumerate(leaves):
        groups.setdefault((leaf.shape, leaf.dtype), []).append(i)
    out = list(leaves)
    for members in groups.values():
        found = f(jnp.stack([leaves[i] for i in members]))
        for i, value in zip(members, found, strict=True):
            out[i] = value
    return out


def _or_one(v: Array) -> Array:
    return jnp.where(v > 0, v, 1)
