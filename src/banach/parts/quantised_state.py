"""States of optimisers in 8 bits, a scale for every block."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree, UInt8

from banach.core import validation


def dynamic_map(signed: bool) -> np.ndarray:
    """The 256 values of a code, ascending in [-1, 1] or [0, 1].

    Behind the sign bit, leading zeros are the decimal exponent, one bit ends them and
    the others are the linear fraction of the decade; 0 and 1 are codes of their own.
    """
    values = [0.0, 1.0]
    for e in range(7):
        ends = np.linspace(0.1, 1, 2 ** (e if signed else e + 1) + 1)
        middle = 10.0 ** (e - 6) * (ends[:-1] + ends[1:]) / 2
        values += [*middle, *-middle] if signed else [*middle]
    return np.sort(values)


SIGNED, UNSIGNED = dynamic_map(True), dynamic_map(False)


class Quantised(eqx.Module):
    """Codes like the array that they stand for, and a scale for every block of it.

    A scale is the largest absolute entry of its block; it has a minus sign where no
    entry is negative, and then codes are of the unsigned map.
    """

    codes: UInt8[Array, "..."]
    scales: Float[Array, " blocks"]
    block: int = eqx.field(static=True)


def quantise(x: Float[Array, "..."], block: int = 2048) -> Quantised:
    """The nearest codes, block by block of the flattened array.

    Which map a block uses is seen from its entries, so that second moments have all
    256 codes on their side without being declared. NaN makes its block NaN.

    Args:
        x: a floating array.
        block: entries that share a scale.

    Source:
        Dettmers, Lewis, Shleifer and Zettlemoyer 2022, sections 1.3 and 2.
    """
    rows = _rows(x, block)
    top = jnp.max(jnp.abs(rows), axis=1, initial=0.0)
    positive = jnp.all(rows >= 0, axis=1)
    part = rows / jnp.where(top == 0, 1, top)[:, None]

    def nearest(values: np.ndarray) -> Array:
        middle = jnp.asarray((values[1:] + values[:-1]) / 2, x.dtype)
        return jnp.searchsorted(middle, part, method="scan_unrolled").astype(jnp.uint8)

    codes = jnp.where(positive[:, None], nearest(UNSIGNED), nearest(SIGNED))
    scales = jnp.where(positive, -top, top)
    return Quantised(codes.reshape(-1)[: x.size].reshape(x.shape), scales, block)


def dequantise(q: Quantised) -> Float[Array, "..."]:
    """The array that the codes stand for.

    Args:
        q: what `quantise` made.
    """
    kind = q.scales.dtype
    codes = _rows(q.codes, q.block).astype(jnp.int32)
    signed, unsigned = jnp.asarray(SIGNED, kind), jnp.asarray(UNSIGNED, kind)
    positive = (q.scales <= 0)[:, None]
    values = jnp.where(positive, unsigned[codes], signed[codes])
    values = values * jnp.abs(q.scales)[:, None]
    return values.reshape(-1)[: q.codes.size].reshape(q.codes.shape)


def packed(state: PyTree, block: int, least: int) -> PyTree:
    """A tree whose floating arrays of at least `least` entries are quantised."""

    def of(v: Any) -> Any:
        small = not eqx.is_inexact_array(v) or v.size < least or v.size == 0
        return v if small else quantise(v, block)

    return jax.tree.map(of, state)


def unpacked(state: PyTree) -> PyTree:
    """The tree that `packed` was made of, rounded."""
    return jax.tree.map(
        lambda v: dequantise(v) if isinstance(v, Quantised) else v,
        state,
        is_leaf=lambda v: isinstance(v, Quantised),
    )


def blockwise_8bit(
    tx: optax.GradientTransformation, block: int = 2048, least: int = 4096
) -> optax.GradientTransformationExtraArgs:
    """An optax transformation whose state is kept in 8 bits.

    Before an update the state becomes floating again, after it the nearest codes: the
    arithmetic of `tx` is its own. Moments are what the paper keeps so. A transformation
    that keeps weights in its state (averages, schedule-free) has them rounded too, and
    one whose small changes have to add up (sums of squares) loses those below half a
    code: wrap neither.

    Args:
        tx: any transformation.
        block: entries that share a scale.
        least: arrays with fewer entries stay as they are. Embeddings should too:
            `optax.multi_transform` gives them the transformation itself.

    Source:
        Dettmers, Lewis, Shleifer and Zettlemoyer 2022, 8-bit optimizers via block-wise
        quantization.

    Raises:
        Misuse: no transformation, or counts that are no positive integers.

    Example:
        >>> import optax
        >>> tx = bn.train.blockwise_8bit(optax.adam(1e-3))
        >>> weights = {"W": jnp.zeros((256, 256)), "b": jnp.zeros(256)}
        >>> round(bn.train.memory(tx, weights).per_parameter, 2)
        2.03
    """
    validation.integer(block, "blockwise_8bit: block", low=1)
    validation.integer(least, "blockwise_8bit: least", low=1)
    tx = optax.with_extra_args_support(tx)

    def init(params: PyTree) -> PyTree:
        return packed(tx.init(params), block, least)

    def update(
        updates: PyTree, state: PyTree, params: PyTree = None, **extra: Any
    ) -> tuple[PyTree, PyTree]:
        updates, state = tx.update(updates, unpacked(state), params, **extra)
        return updates, packed(state, block, least)

    return optax.GradientTransformationExtraArgs(init, update)


def _rows(x: Array, block: int) -> Array:
    """Blocks as rows, the last one filled up with zeros."""
    flat = x.reshape(-1)
    return jnp.pad(flat, (0, -flat.size % block)).reshape(-1, block)
