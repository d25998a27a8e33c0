"""Convolutions and reductions over windows, one shift of the window at a time."""

import itertools
import math
from typing import Any

import numpy as np

from banach.engine.interpret.sums import least_of, most_of
from banach.engine.interpret.table import dtype_of, result, rule, shape_of


def _spread(x: np.ndarray, inside: Any, pads: Any, fill: Any) -> np.ndarray:
    """x with inside[i] - 1 fills between entries of axis i, and pads at its ends."""
    inside = [int(n) for n in inside]
    pads = [(int(low), int(high)) for low, high in pads]
    wide = [max((n - 1) * s + 1, 0) for n, s in zip(x.shape, inside, strict=True)]
    out = np.full(
        [
            n + max(low, 0) + max(high, 0)
            for n, (low, high) in zip(wide, pads, strict=True)
        ],
        fill,
        x.dtype,
    )
    to = tuple(
        slice(max(low, 0), max(low, 0) + n, s)
        for n, s, (low, _) in zip(wide, inside, pads, strict=True)
    )
    out[to] = x
    cut = tuple(
        slice(max(-low, 0), n - max(-high, 0))
        for n, (low, high) in zip(out.shape, pads, strict=True)
    )
    return out[cut]


def _cut(at: Any, dilation: Any, strides: Any, sizes: Any) -> tuple[slice, ...]:
    """The entries that one place of the window meets."""
    parts = zip(at, dilation, strides, sizes, strict=True)
    return tuple(slice(i * r, i * r + (n - 1) * s + 1, s) for i, r, s, n in parts)


_WINDOWS = {
    "reduce_window_sum": (np.add, lambda dtype: dtype.type(0)),
    "reduce_window_max": (np.maximum, least_of),
    "reduce_window_min": (np.minimum, most_of),
}


@rule(*_WINDOWS)
def _reduce_window(eqn):
    ufunc, start = _WINDOWS[eqn.primitive.name]
    p, out = eqn.params, result(eqn)
    fill = start(out.dtype)
    names = ("window_dimensions", "window_strides", "window_dilation", "base_dilation")
    window, strides, dilation, inside = ([int(n) for n in p[name]] for name in names)

    def reduced(x):
        x = _spread(x, inside, p["padding"], fill)
        total = np.full(out.shape, fill, out.dtype)
        if total.size:
            for at in itertools.product(*map(range, window)):
                seen = x[_cut(at, dilation, strides, out.shape)]
                ufunc(total, seen, out=total)
        return total

    return reduced


def _groups(eqn: Any) -> str | None:
    if eqn.params["batch_group_count"] != 1:
        return "groups of the batch"
    return None


@rule("conv_general_dilated", unless=_groups)
def _convolution(eqn):
    p, out = eqn.params, result(eqn)
    d = p["dimension_numbers"]
    groups, dtype = p["feature_group_count"], out.dtype
    order_x, order_k, order_out = (tuple(map(int, spec)) for spec in d)
    kernel = [shape_of(eqn, 1)[i] for i in order_k]
    sizes = [out.shape[i] for i in order_out]
    strides = [int(s) for s in p["window_strides"]]
    dilation = [int(s) for s in p["rhs_dilation"]]
    room = [(0, 0), (0, 0), *p["padding"]]
    inside = [1, 1, *p["lhs_dilation"]]
    per_in, per_out = kernel[1], kernel[0] // groups
    back = [0] * len(order_out)
    for i, axis in enumerate(order_out):
        back[axis] = i
    mixed = np.result_type(dtype_of(eqn), dtype_of(eqn, 1), dtype)

    def convolved(x, k):
        x = _spread(x.transpose(order_x).astype(mixed), inside, room, 0)
        k = k.transpose(order_k).astype(mixed)
        total = np.zeros((sizes[0], groups, per_out, *sizes[2:]), mixed)
        weights = k.reshape(groups, per_out, per_in, *kernel[2:])
        for at in itertools.product(*map(range, kernel[2:])):
            cut = _cut(at, dilation, strides, sizes[2:])
            seen = x[(slice(None), slice(None), *cut)]
            seen = seen.reshape(sizes[0], groups, per_in, math.prod(sizes[2:]))
            part = np.matmul(weights[(..., *at)], seen)
            total += part.reshape(total.shape)
        full = total.reshape(sizes)
        return full.transpose(back).astype(dtype)

    return convolved
