"""What moves entries and leaves them as they are: views where NumPy has them."""

import operator
from typing import Any

import numpy as np

from banach.engine.interpret.table import (
    dtype_of,
    held,
    is_key,
    plain,
    result,
    rule,
    scalar,
    shape_of,
)

plain("copy", lambda x: x)


def _lifted(eqn: Any, index: int = 0) -> bool:
    """Whether an argument holds keys, and so has one more axis."""
    return is_key(dtype_of(eqn, index))


@rule("broadcast_in_dim", keys=True)
def _broadcast(eqn):
    target, dtype = held(result(eqn))
    given = shape_of(eqn)
    places = eqn.params["broadcast_dimensions"]
    spread = [1] * len(result(eqn).shape)
    for axis, place in enumerate(places):
        spread[place] = given[axis]
    if _lifted(eqn):
        spread.append(2)
        given = (*given, 2)
    shape = tuple(int(n) for n in spread)
    if not target:
        return lambda x: x
    if shape == target:  # only axes of size 1 were added
        if given == ():
            return lambda x: np.array([x]).reshape(shape)
        return lambda x: x.reshape(shape)
    if given == ():

        def filled(x):
            out = np.empty(target, dtype)
            out.fill(x)
            return out

        return filled

    def spread_out(x):
        out = np.empty(target, dtype)
        out[...] = x.reshape(shape)
        return out

    return spread_out


def _reordered(eqn):
    if eqn.params.get("dimensions") is not None:
        return "reshape with an order of dimensions"
    return None


@rule("reshape", unless=_reordered, keys=True)
@rule("squeeze", keys=True)
def _reshape(eqn):
    shape = held(result(eqn))[0]
    given = held(eqn.invars[0].aval)[0]
    if shape == given:
        return lambda x: x
    if shape == ():
        return scalar
    if given == ():
        return lambda x: np.array([x]).reshape(shape)
    if given == (1,):
        return lambda x: x.reshape(shape)
    return operator.methodcaller("reshape", shape)


@rule("transpose", keys=True)
def _transpose(eqn):
    order = tuple(int(i) for i in eqn.params["permutation"])
    if _lifted(eqn):
        order = (*order, len(order))
    return operator.methodcaller("transpose", order)


@rule("rev", keys=True)
def _rev(eqn):
    turned = eqn.params["dimensions"]
    back, same = slice(None, None, -1), slice(None)
    ndim = len(shape_of(eqn))
    return operator.itemgetter(
        tuple(back if i in turned else same for i in range(ndim))
    )


@rule("slice", keys=True)
def _slice(eqn):
    p = eqn.params
    strides = p["strides"] or (1,) * len(p["start_indices"])
    cuts = zip(p["start_indices"], p["limit_indices"], strides, strict=True)
    return operator.itemgetter(tuple(slice(int(a), int(b), int(c)) for a, b, c in cuts))


@rule("concatenate", keys=True)
def _concatenate(eqn):
    axis = eqn.params["dimension"]
    return lambda *parts: np.concatenate(parts, axis)


@rule("stack", keys=True)
def _stack(eqn):
    shape, dtype = held(result(eqn))
    before = (slice(None),) * eqn.params["axis"]

    def stacked(*parts):
        out = np.empty(shape, dtype)
        for i, part in enumerate(parts):
            out[(*before, i)] = part
        return out

    return stacked


@rule("unstack", many=True, keys=True)
def _unstack(eqn):
    axis = eqn.params["axis"]
    before = (slice(None),) * axis
    cuts = [(*before, i) for i in range(shape_of(eqn)[axis])]
    return lambda x: [x[cut] for cut in cuts]


@rule("split", many=True, keys=True)
def _split(eqn):
    before, cuts, first = (slice(None),) * eqn.params["axis"], [], 0
    for n in eqn.params["sizes"]:
        cuts.append((*before, slice(first, first + int(n))))
        first += int(n)
    return lambda x: [x[cut] for cut in cuts]


@rule("tile")
def _tile(eqn):
    repeats = tuple(int(n) for n in eqn.params["reps"])
    return lambda x: np.tile(x, repeats)


@rule("iota")
def _iota(eqn):
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    along = [-1 if i == axis else 1 for i in range(len(shape))]
    out = np.empty(shape, result(eqn).dtype)
    out[...] = np.arange(shape[axis]).astype(out.dtype).reshape(along)
    return lambda: out


@rule("pad")
def _pad(eqn):
    config = [tuple(map(int, c)) for c in eqn.params["padding_config"]]
    target, dtype = held(result(eqn))
    shape = shape_of(eqn)
    into, of = [], []
    for (low, _, inside), n, m in zip(config, shape, target, strict=True):
        step = inside + 1
        # Entries i with 0 <= low + i step < m.
        first = max(0, -(low // step) if low < 0 else 0)
        last = min(n, (m - low + step - 1) // step if m > low else 0)
        last = max(last, first)
        start = low + first * step
        into.append(slice(start, start + (last - first) * step, step))
        of.append(slice(first, last))
        if last == first:
            into[-1], of[-1] = slice(0, 0), slice(0, 0)
    to, taken = tuple(into), tuple(of)

    def padded(x, value):
        out = np.empty(target, dtype)
        out.fill(value)
        out[to] = x[taken]
        return out

    return padded


def _limits(eqn: Any) -> list[int]:
    p, shape = eqn.params, shape_of(eqn)
    sizes = p["slice_sizes"] if "slice_sizes" in p else shape_of(eqn, 1)
    return [n - int(m) for n, m in zip(shape, sizes, strict=True)]


def _window(starts: Any, most: list[int], sizes: list[int]) -> tuple[slice, ...]:
    """The slice nearest to the starts that lies within."""
    cuts = []
    for start, limit, n in zip(starts, most, sizes, strict=True):
        first = int(start)
        first = 0 if first < 0 else limit if first > limit else first
        cuts.append(slice(first, first + n))
    return tuple(cuts)


@rule("dynamic_slice", keys=True)
def _dynamic_slice(eqn):
    most, sizes = _limits(eqn), [int(n) for n in eqn.params["slice_sizes"]]
    if len(sizes) == 1:
        (limit,), (n,) = most, sizes

        def one(x, start):
            first = int(start)
            first = 0 if first < 0 else limit if first > limit else first
            return x[first : first + n]

        return one
    return lambda x, *starts: x[_window(starts, most, sizes)]


@rule("dynamic_update_slice", keys=True)
def _dynamic_update_slice(eqn):
    most, sizes = _limits(eqn), list(shape_of(eqn, 1))

    def updated(x, new, *starts):
        out = np.array(x)
        out[_window(starts, most, sizes)] = new
        return out

    return updated
