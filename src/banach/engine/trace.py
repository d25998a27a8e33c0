"""A trace of fixed memory: rows kept at a stride that doubles when they run out."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Trace(eqx.Module):
    """Rows 0..filled-1 are valid; row i was looked at in check number i * stride."""

    step: Int[Array, " rows"]
    ratio: Float[Array, " rows"]
    value: Float[Array, " rows"]
    calls: Int[Array, "rows oracles"]
    filled: Int[Array, ""]
    stride: Int[Array, ""]
    count: Int[Array, ""]


def empty(rows: int, oracles: int, dtype: Any) -> Trace:
    """A trace with room for an even number of rows (0 turns tracing off)."""
    if rows % 2:
        raise ValueError(f"trace rows must be even, got {rows}")
    zero = jnp.zeros((), jnp.int32)
    return Trace(
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, dtype),
        jnp.zeros(rows, dtype),
        jnp.zeros((rows, oracles), jnp.int32),
        zero,
        jnp.ones((), jnp.int32),
        zero,
    )


def record(trace: Trace, step: Any, ratio: Any, value: Any, calls: Any) -> Trace:
    """Add one look; the arrays never grow."""
    rows = trace.step.shape[0]
    if rows == 0:
        return trace
    write = trace.count % trace.stride == 0
    # A row past the end drops the write, so no select over whole arrays is needed.
    at = jnp.where(write, trace.filled, rows)
    new = Trace(
        trace.step.at[at].set(step, mode="drop"),
        trace.ratio.at[at].set(ratio, mode="drop"),
        trace.value.at[at].set(value, mode="drop"),
        trace.calls.at[at].set(calls, mode="drop"),
        trace.filled + write,
        trace.stride,
        trace.count + 1,
    )
    return jax.lax.cond(new.filled == rows, _halve, lambda t: t, new)


def _halve(t: Trace) -> Trace:
    def half(a):
        return jnp.concatenate([a[::2], jnp.zeros_like(a[: a.shape[0] // 2])])

    return Trace(
        half(t.step),
        half(t.ratio),
        half(t.value),
        half(t.calls),
        t.filled // 2,
        t.stride * 2,
        t.count,
    )
