"""Kronecker statistics of tensors, a mode at a time, and their inverse roots."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree

TOLERANCE, MOST, POWER = 1e-6, 100, 40
"""Of the coupled iteration (the paper's) and of the power iteration (ours)."""
SMALL = 32


def modes(v: Array) -> Array:
    """v with at least one mode: a number is a vector of one entry."""
    return v[None] if v.ndim == 0 else v


def cuts(v: Array, size: int) -> list[tuple[slice, ...]]:
    """The blocks of a tensor, at most `size` along every mode."""
    ends = [range(0, d, size) for d in modes(v).shape]
    return [
        tuple(slice(a, a + size) for a in corner) for corner in itertools.product(*ends)
    ]


def roots(like: PyTree, L: PyTree, ridge: Any) -> PyTree:
    """Inverse roots of what `like`'s leaves have by block and mode, -1 / 2k each.

    Matrices of one size and one power are worked on together; small ones are filled
    up to the largest of them, which changes no root.
    """
    leaves = jax.tree.leaves(like)
    treedef: Any = jax.tree.structure(like)
    flat = [jax.tree.flatten(H) for H in treedef.flatten_up_to(L)]
    every = [
        (h, 2 * modes(v).ndim)
        for v, (H, _) in zip(leaves, flat, strict=True)
        for h in H
    ]
    groups: dict[Any, list[int]] = {}
    for i, (h, p) in enumerate(every):
        groups.setdefault((p, h.dtype, len(h) if len(h) > SMALL else 0), []).append(i)
    found: list[Any] = [None] * len(every)
    for (p, _, _), members in groups.items():
        sizes = [len(every[i][0]) for i in members]
        fill = [max(sizes) - n for n in sizes]
        stack = [
            jnp.pad(every[i][0], (0, f)) for i, f in zip(members, fill, strict=True)
        ]
        done = _stacked_roots(jnp.stack(stack), p, ridge, jnp.asarray(sizes))
        for i, n, X in zip(members, sizes, done, strict=True):
            found[i] = X[:n, :n]
    rest = iter(found)
    out = [jax.tree.unflatten(d, [next(rest) for _ in H]) for H, d in flat]
    return jax.tree.unflatten(treedef, out)


@functools.partial(jax.jit, static_argnames="p")
def _stacked_roots(A: Array, p: int, ridge: Any, n: Array) -> Array:
    # A program asks for the same stack again and again: it is traced once.
    return jax.vmap(lambda A, n: inverse_root(A, p, ridge, n)[0])(A, n)


def statistic(G: Array, mode: int) -> Float[Array, "d d"]:
    """G_(i) G_(i)' of the unfolding along a mode."""
    others = [k for k in range(G.ndim) if k != mode]
    return jnp.tensordot(G, G, (others, others), precision=tree.PRECISION)


def multiplied(G: Array, P: Array, mode: int) -> Array:
    """P applied along a mode; a vector P is a diagonal."""
    if P.ndim == 1:
        return G * P.reshape([-1 if k == mode else 1 for k in range(G.ndim)])
    out = jnp.tensordot(P, G, ((1,), (mode,)), precision=tree.PRECISION)
    return jnp.moveaxis(out, 0, mode)


def root_by_eigenvalues(A: Float[Array, "d d"], power: float, least: Any) -> Array:
    """A^power of a symmetric A whose eigenvalues are at least `least` > 0.

    One after another under vmap: several batches of decompositions in one program can
    wait for each other for ever on CPUs of few cores (jaxlib 0.10).
    """

    @jax.custom_batching.sequential_vmap
    def root(A: Array, least: Array) -> Array:
        w, V = jnp.linalg.eigh(A)
        return jnp.matmul(
            V * jnp.maximum(w, least) ** power, V.T, precision=tree.PRECISION
        )

    return root(A, jnp.asarray(least, A.dtype))


def largest_eigenvalue(A: Float[Array, "d d"], n: Any = None) -> Array:
    """Of a positive semidefinite A, by power iterations from a fixed vector.

    `n`: only its first n rows and columns are not 0.
    """
    n = len(A) if n is None else n

    def step(_: int, v: Array) -> Array:
        v = jnp.matmul(A, v, precision=tree.PRECISION)
        size = jnp.linalg.norm(v)
        return v / jnp.where(size > 0, size, 1)

    at = jnp.arange(len(A), dtype=A.dtype)
    v = jnp.where(at < n, 1 + at / n, 0)
    v = jax.lax.fori_loop(0, POWER, step, v / jnp.linalg.norm(v))
    return jnp.vdot(v, jnp.matmul(A, v, precision=tree.PRECISION))


def inverse_root(
    A: Float[Array, "d d"], p: int, ridge: Any, n: Any = None
) -> tuple[Float[Array, "d d"], Float[Array, ""]]:
    """(A + ridge lmax I)^(-1/p) by coupled Newton steps, and how far M is from I.

    M = z A, X = z^(1/p) I, z = (1 + p) / (2 lmax);  T = ((p + 1) I - M) / p
    X+ = X T,  M+ = T^p M;  M stays X^p A and tends to I

    It ends where ||M - I|| is below 1e-6 or begins to grow. The norm is Frobenius's,
    not the largest entry of the paper: every eigenvalue of M nears 1 at every step, so
    that growth is rounding. Of A = 0 it is I. p is even; `n` is that of
    `largest_eigenvalue`.

    Source:
        Anil et al. 2020; Iannazzo 2006.
    """
    one = jnp.eye(len(A), dtype=A.dtype)
    n = len(A) if n is None else n
    top = largest_eigenvalue(A, n)
    none = ~(top > 0) & ~jnp.isnan(top)
    top = jnp.where(none, 1, top)
    A = jnp.where(none, one, A) + jnp.asarray(ridge, A.dtype) * top * one
    z = (1 + p) / (2 * top * (1 + jnp.asarray(ridge, A.dtype)))

    def times(a: Array, b: Array) -> Array:
        return jnp.matmul(a, b, precision=tree.PRECISION)

    def goes_on(carry: Any) -> Array:
        k, _, _, error, before = carry
        return (k < MOST) & (error > TOLERANCE) & (error < before)

    def step(carry: Any) -> Any:
        k, X, M, error, _ = carry
        T = ((p + 1) * one - M) / p
        T2 = times(T, T)
        # T^p by squares: p is 2 k, an even number.
        power, left = T2, p // 2 - 1
        while left:
            power, left = times(power, T2), left - 1
        M = times(power, M)
        new = jnp.linalg.norm(M - one)
        # What grew is not taken.
        X = jnp.where(new < error, times(X, T), X)
        return k + 1, X, M, new, error

    inside = jnp.arange(len(A)) < n
    M = jnp.where(inside[:, None] & inside, z * A, one)
    error = jnp.linalg.norm(M - one)
    before = jnp.full_like(error, jnp.inf)
    start = (jnp.int32(0), one * z ** (1 / p), M, error, before)
    _, X, _, error, before = jax.lax.while_loop(goes_on, step, start)
    nan = jnp.where(jnp.isfinite(top), 0, jnp.nan)
    return jnp.where(none, one, X) + nan, jnp.minimum(error, before) + nan
