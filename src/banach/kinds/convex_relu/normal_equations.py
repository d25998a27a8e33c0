"""The linear system of a convex ReLU program, and the prox of its losses.

With C = 1 + X'X / unit^2 (1 without cones), the same block for every group because
(2 D - 1)^2 = 1, and F the predictions,

    (F'F + rho C)^-1 = (C^-1 - C^-1 F' (rho + F C^-1 F')^-1 F C^-1) / rho,
    F C^-1 F' = s (X C^-1 X') o (sum_i D_i D_i'),    s = 2 signs (1 where gated).

One eigendecomposition of that n x n matrix serves every rho: d^3 + n^3 + P n^2 once,
P n d + P d^2 + n^2 for each solve, where a dense factor would cost (P d)^3.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.core import tree
from banach.kinds.glm.loss import Loss

_PROX_STEPS = 60


class Factor(eqx.Module):
    """C^-1, the eigenpairs of F C^-1 F', and whether F'F keeps its weight 1."""

    inverse: Float[Array, "d d"]
    values: Float[Array, " n"]
    vectors: Float[Array, "n n"]
    quadratic: bool = eqx.field(static=True)


def factored(
    X: Array, masks: Array, unit: Array | None, signs: int, quadratic: bool
) -> Factor:
    """Decompose once; `unit` None leaves the cones out."""
    C = jnp.eye(X.shape[1], dtype=X.dtype)
    if unit is not None:
        C = C + _matmul(X.T, X) / unit**2
    inverse = jnp.linalg.inv(C)
    both = _matmul(masks.T, masks) * _matmul(_matmul(X, inverse), X.T)
    values, vectors = jnp.linalg.eigh(signs * (both + both.T) / 2)
    return Factor(inverse, jnp.maximum(values, 0), vectors, quadratic)


def solved(
    factor: Factor,
    outputs: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    r: Array,
    rho: Any,
) -> Array:
    """(F'F + rho C)^-1 r, or (rho F'F + rho C)^-1 r where the losses are split off."""
    rho = jnp.asarray(rho, r.dtype)
    shift = rho if factor.quadratic else jnp.ones_like(rho)
    near = _matmul(r, factor.inverse)
    coordinates = _matmul(factor.vectors.T, outputs(near))
    th = _matmul(factor.vectors, coordinates / (shift + factor.values))
    return (near - _matmul(adjoint(th), factor.inverse)) / rho


def loss_prox(
    loss: Loss, a: Float[Array, " n"], y: Float[Array, " n"], t: Any
) -> Float[Array, " n"]:
    """The minimiser p of t l(p, y) + (p - a)^2 / 2, entry by entry.

    Newton's method on p - a + t l'(p), which increases, kept inside a bracket: the
    root lies between a and a - t l'(a).
    """
    t = jnp.asarray(t, a.dtype)
    far = a - t * loss.derivative(a, y)
    low, high = jnp.minimum(a, far), jnp.maximum(a, far)

    def step(_: Any, s: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        p, low, high = s
        h = p - a + t * loss.derivative(p, y)
        low, high = jnp.where(h <= 0, p, low), jnp.where(h >= 0, p, high)
        trial = p - h / (1 + t * loss.curvature(p, y))
        inside: Bool[Array, " n"] = (trial > low) & (trial < high)
        middle = low + (high - low) / 2
        return jnp.where(h == 0, p, jnp.where(inside, trial, middle)), low, high

    return jax.lax.fori_loop(0, _PROX_STEPS, step, (a, low, high))[0]


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=tree.PRECISION)
