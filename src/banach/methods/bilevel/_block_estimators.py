"""Samples of blocks and rows, and trackers of quantities that few blocks report."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree


def draw_rows(key: Array, blocks: int, batch: int, rows: int) -> Int[Array, "I B"]:
    """Row indices, uniform with replacement; all rows once where batch >= rows."""
    if batch >= rows:
        return jnp.broadcast_to(jnp.arange(rows, dtype=jnp.int32), (blocks, rows))
    return jax.random.randint(key, (blocks, batch), 0, rows, jnp.int32)


def draw_blocks(key: Array, count: int, blocks: int) -> Int[Array, " I"]:
    """Distinct blocks, uniform."""
    if count >= blocks:
        return jnp.arange(blocks, dtype=jnp.int32)
    return jax.random.choice(key, blocks, (count,), replace=False).astype(jnp.int32)


def msvr(
    tracked: PyTree, blocks: Int[Array, " I"], new: PyTree, old: PyTree, a: Any
) -> PyTree:
    """Track q_i for all m blocks from the I that are sampled; the others stay.

    s_i <- (1 - a) s_i + a q_i(w) + c (q_i(w) - q_i(w-))

    with c = (m - I) / (I (1 - a)) + 1 - a.
    `new` and `old` are q at this step's and the last step's iterates, of the sampled
    blocks, with the same samples; 0 < a < 1. c pays for the drift of w in the steps
    that a block misses.

    Source: Jiang, Li, Wang, Zhang and Yang (2022), multi-block-single-probe variance
    reduction.
    """

    def track(s, q, before):
        count, m = blocks.shape[0], s.shape[0]
        c = (m - count) / (count * (1 - a)) + 1 - a
        return s.at[blocks].set((1 - a) * s[blocks] + a * q + c * (q - before))

    return jax.tree.map(track, tracked, new, old)


def storm(tracked: PyTree, new: PyTree, old: PyTree, b: Any) -> PyTree:
    """z <- q(w) + (1 - b) (z - q(w-)), both with the same samples.

    Source: Cutkosky and Orabona (2019).
    """
    return tree.add(new, tree.scale(1 - b, tree.sub(tracked, old)))


def project_blocks(v: PyTree, radius: Any) -> PyTree:
    """Each block of v onto the ball of that radius."""
    size = jax.vmap(tree.norm)(v)
    factor = jnp.minimum(1, radius / jnp.where(size > 0, size, 1))
    return jax.tree.map(
        lambda q: q * factor.reshape(-1, *[1] * (q.ndim - 1)).astype(q.dtype), v
    )
