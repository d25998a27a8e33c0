"""Constants of rounding, which every bound of an error is made of."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

# Entries of a block of rows, and from how many entries a leaf is taken in blocks:
# whoever executes this without fusing writes the bits down several times.
_BLOCK = 2**16
_LARGE = 2**19


def unit(dtype: Any) -> float:
    """The unit roundoff u: the relative error of one rounding."""
    return float(jnp.finfo(dtype).eps) / 2


def gam(k: int, dtype: Any) -> float:
    """k u / (1 - k u), the usual bound for k roundings; inf when k u is large."""
    ku = k * unit(dtype)
    return ku / (1 - ku) if ku < 0.5 else math.inf


def least(dtype: Any) -> float:
    """The smallest normal number: what one flushed result may have lost.

    XLA writes 0 for every result below it, and reads 0 for every such operand, in
    comparisons too. A product of three factors loses more where the first two vanish
    and the third is large: multiply the small factor in last, or charge this before.
    """
    return float(jnp.finfo(dtype).tiny)


def subnormal(x: PyTree) -> Array:
    """Whether some entry is not 0 and yet read as 0, a boolean scalar.

    Looks at the bits: every comparison of floats would read 0 as well.
    """
    return some(x, _vanishes)


def outside(x: PyTree) -> Array:
    """Whether some entry is `subnormal`, or too large to divide by.

    XLA turns v / b into v (1 / b) where one b divides many v, and 1 / b vanishes.
    """
    return some(x, lambda v: _vanishes(v) | (jnp.abs(v) > _largest(v.dtype)))


def some(x: PyTree, test: Any) -> Array:
    """Whether some floating entry passes."""
    found = jnp.zeros((), bool)
    for leaf in jax.tree.leaves(x):
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            found = found | _any(jnp.asarray(leaf), test)
    return found


def _largest(dtype: Any) -> float:
    return float(jnp.finfo(dtype).max) * 2.0**-20


def _vanishes(v: Array) -> Array:
    info = jnp.finfo(v.dtype)
    whole = jnp.dtype(f"uint{info.bits}")
    bits = jax.lax.bitcast_convert_type(v, whole)
    size = bits & jnp.asarray(2 ** (info.bits - 1) - 1, whole)
    return (size > 0) & (size < jnp.asarray(2**info.nmant, whole))


def _any(leaf: Array, test: Any) -> Array:
    def one(v: Array) -> Array:
        bad = test(v)
        # By columns first: XLA's loops for that are four times as fast on a CPU.
        return jnp.any(jnp.any(bad, axis=0) if bad.ndim > 1 else bad)

    if leaf.size < _LARGE or leaf.ndim < 2:
        return one(leaf)
    rows = min(leaf.shape[0], max(1, _BLOCK * leaf.shape[0] // leaf.size))

    def block(i: Any, found: Array) -> Array:
        # The last one begins earlier where the rows do not come out even.
        part = jax.lax.dynamic_slice_in_dim(leaf, i * rows, rows)
        return found | one(part)

    return jax.lax.fori_loop(0, -(-leaf.shape[0] // rows), block, jnp.zeros((), bool))
