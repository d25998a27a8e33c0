"""Rounding rules of reductions, cumulative operations, products and sorting."""

import itertools
import math

import jax.numpy as jnp
from jax import lax

from banach.checks.rounding.interpreter import (
    Pair,
    bind,
    error,
    floating,
    gam,
    is_exact,
    least,
    rounded,
    rule,
    solid,
    values,
    winner_unsure,
)


@rule("reduce_sum", "reduce_max", "reduce_min", "reduce_prod")
def _reduce(eqn, pairs):
    (p,), name = pairs, eqn.primitive.name
    axes = tuple(int(i) for i in eqn.params["axes"])
    v = bind(eqn, p.value)
    if not floating(v):
        return [Pair(v, None if p.error is None else jnp.any(p.error, axis=axes))]
    m = math.prod(p.value.shape[i] for i in axes)
    if name in ("reduce_max", "reduce_min"):
        if p.error is None:
            return [Pair(v)]
        sign = 1 if name == "reduce_max" else -1
        return [Pair(v, jnp.max(p.error, axis=axes), ("all", p, axes, sign))]
    size = jnp.abs(p.value)
    if name == "reduce_sum":
        e = gam(m, v) * jnp.sum(size, axis=axes) + m * least(v)
        if p.error is not None:
            e = e + jnp.sum(p.error, axis=axes)
        return [Pair(v, e)]
    high = jnp.prod(size + error(p), axis=axes)
    e = high - jnp.prod(size, axis=axes) + rounded(high, 3 * m)
    # A product that vanished on the way, times all that is large.
    large = jnp.prod(jnp.maximum(size + error(p), 1), axis=axes)
    return [Pair(v, e + 4 * m * least(v) * large)]


@rule("reduce_and", "reduce_or")
def _reduce_logic(eqn, pairs):
    (p,) = pairs
    v = bind(eqn, p.value)
    if p.error is None:
        return [Pair(v)]
    axes = tuple(int(i) for i in eqn.params["axes"])
    decides = p.value if eqn.primitive.name == "reduce_or" else ~p.value
    sure = jnp.any(decides & ~p.error, axis=axes)
    return [Pair(v, jnp.any(p.error, axis=axes) & ~sure)]


@rule("argmax", "argmin")
def _argmax(eqn, pairs):
    (p,), (axis,) = pairs, eqn.params["axes"]
    v = bind(eqn, p.value)
    if p.error is None:
        return [Pair(v)]
    if not floating(p.value):
        return [Pair(v, jnp.any(p.error, axis=axis))]
    sign = 1 if eqn.primitive.name == "argmax" else -1
    near = winner_unsure(p, ("all", p, (axis,), sign))
    return [Pair(v, jnp.any(near, axis=axis))]


@rule("cumsum", "cumprod", "cummax", "cummin")
def _cumulative(eqn, pairs):
    (p,), name = pairs, eqn.primitive.name
    axis, reverse = eqn.params["axis"], eqn.params["reverse"]
    v = bind(eqn, p.value)
    if not floating(v):
        if p.error is None:
            return [Pair(v)]
        seen = lax.cummax(p.error.astype(v.dtype), axis=axis, reverse=reverse)
        return [Pair(v, seen > 0)]
    n, size, e = v.shape[axis], jnp.abs(p.value), error(p)
    if name in ("cummax", "cummin"):
        seen = None if p.error is None else lax.cummax(e, axis=axis, reverse=reverse)
        return [Pair(v, seen)]
    if name == "cumsum":
        own = gam(n, v) * bind(eqn, size) + n * least(v)
        return [Pair(v, bind(eqn, e) + own)]
    high = bind(eqn, size + e)
    large = bind(eqn, jnp.maximum(size + e, 1))
    e = high - bind(eqn, size) + rounded(high, 3 * n) + 4 * n * least(v) * large
    return [Pair(v, e)]


@rule("dot_general", "conv_general_dilated")
def _bilinear(eqn, pairs):
    a, b = pairs

    def product(x, y):
        # Reduced-precision products (TF32, bfloat16) void the model.
        return bind(eqn, x, y, precision=(lax.Precision.HIGHEST,) * 2)

    v = product(a.value, b.value)
    if not floating(v):
        wrong = None if is_exact(pairs) else jnp.full(v.shape, _any(pairs))
        return [Pair(v, wrong)]
    if eqn.primitive.name == "dot_general":
        (axes, _), _ = eqn.params["dimension_numbers"]
        terms = math.prod(a.value.shape[i] for i in axes)
    else:
        out = eqn.params["dimension_numbers"].rhs_spec[0]
        terms = math.prod(b.value.shape) // max(b.value.shape[out], 1)
    x, y = jnp.abs(a.value), jnp.abs(b.value)
    tiny = 4 * (terms + 1) * least(v)
    e = gam(terms + 1, v) * product(x, y) + tiny
    if a.error is not None:
        e = e + product(a.error, y if b.error is None else y + b.error)
    if b.error is not None:
        e = e + product(x, b.error)
    return [Pair(v, e)]


def _any(pairs):
    flags = [jnp.any(p.error > 0) for p in pairs if p.error is not None]
    return jnp.any(jnp.stack(flags))


@rule("sort")
def _sort(eqn, pairs):
    axis, keys = eqn.params["dimension"], eqn.params["num_keys"]
    n = len(pairs)
    if is_exact(pairs):
        return [Pair(v) for v in bind(eqn, *values(pairs))]
    full = [solid(p) for p in pairs]
    out = bind(eqn, *values(full), *[p.error for p in full])
    moved, e = out[:n], list(out[n:])
    if n == 1 and floating(moved[0]):
        # Sorting moves no order statistic by more than the largest error.
        return [
            Pair(
                moved[0],
                jnp.broadcast_to(jnp.max(e[0], axis, keepdims=True), e[0].shape),
            )
        ]
    mixed = jnp.zeros(moved[0].shape, bool)
    for v, err in itertools.islice(zip(moved, e, strict=True), keys):
        width = err if floating(v) else jnp.where(err, jnp.inf, 0.0)
        shifted = [lax.slice_in_dim(t, 1, None, axis=axis) for t in (v, width)]
        first = [lax.slice_in_dim(t, 0, -1, axis=axis) for t in (v, width)]
        spread = first[1] + shifted[1]
        close = (spread > 0) & ~(jnp.abs(shifted[0] - first[0]) > spread)
        room = [(0, 0)] * close.ndim
        before, after = list(room), list(room)
        before[axis], after[axis] = (0, 1), (1, 0)
        mixed = mixed | jnp.pad(close, before) | jnp.pad(close, after)
    return [
        Pair(v, jnp.where(mixed, jnp.inf, err) if floating(v) else mixed | err)
        for v, err in zip(moved, e, strict=True)
    ]
