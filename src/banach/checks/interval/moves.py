"""Interval rules of primitives that move, choose or repeat."""

import itertools

import numpy as np
from jax import lax

from banach.checks.interval import arithmetic as ar
from banach.checks.interval.arithmetic import Interval, Trool
from banach.checks.interval.evaluate import (
    NoEnclosure,
    Value,
    decided,
    evaluate,
    integers,
    interval,
    move,
    reached,
    rule,
    trool,
)
from banach.core.rounding import gam

_MAX_TRIPS = 10_000


def alike(values: list[Value]) -> list[Value]:
    """Bring values of one dtype to one kind."""
    if any(isinstance(v, Interval) for v in values):
        return [interval(v) for v in values]
    if any(isinstance(v, Trool) for v in values):
        return [trool(v) for v in values]
    return values


def joined(f, values: list[Value]) -> Value:
    """Apply f to the list of arrays behind each endpoint."""
    values = alike(values)
    if isinstance(values[0], np.ndarray):
        return f(values)
    return type(values[0])(f([v.lo for v in values]), f([v.hi for v in values]))


@rule("copy", "copy_p", "optimization_barrier", "device_put", "reduce_precision")
def _identity(context, eqn, inputs):
    if eqn.primitive.name == "reduce_precision":
        raise NoEnclosure("primitive reduce_precision rounds; state it in float64")
    return inputs


@rule("stop_gradient")
def _stop_gradient(context, eqn, inputs):
    (v,) = inputs
    if not context.shift or not isinstance(v, Interval):
        return [v]
    mid = v.mid
    return [ar.point(np.where(np.isfinite(mid), mid, np.nan))]


@rule("reshape", "squeeze", "expand_dims")
def _reshape(context, eqn, inputs):
    if eqn.params.get("dimensions") and eqn.primitive.name == "reshape":
        raise NoEnclosure("primitive reshape with a permutation; transpose first")
    shape = eqn.outvars[0].aval.shape
    return [move(lambda v: v.reshape(shape), inputs[0])]


@rule("transpose")
def _transpose(context, eqn, inputs):
    order = eqn.params["permutation"]
    return [move(lambda v: np.transpose(v, order), inputs[0])]


@rule("rev")
def _rev(context, eqn, inputs):
    return [move(lambda v: np.flip(v, eqn.params["dimensions"]), inputs[0])]


@rule("broadcast_in_dim")
def _broadcast(context, eqn, inputs):
    shape, dims = eqn.params["shape"], eqn.params["broadcast_dimensions"]

    def spread(v):
        middle = [1] * len(shape)
        for size, d in zip(v.shape, dims, strict=True):
            middle[int(d)] = size
        return np.broadcast_to(v.reshape(middle), shape)

    return [move(spread, inputs[0])]


@rule("iota")
def _iota(context, eqn, inputs):
    shape, d = eqn.params["shape"], eqn.params["dimension"]
    line = np.arange(shape[d]).reshape([-1 if i == d else 1 for i in range(len(shape))])
    full = np.broadcast_to(line, shape).astype(eqn.params["dtype"])
    return [interval(full) if full.dtype.kind == "f" else full]


@rule("concatenate")
def _concatenate(context, eqn, inputs):
    axis = eqn.params["dimension"]
    return [joined(lambda arrays: np.concatenate(arrays, axis), inputs)]


@rule("stack")
def _stack(context, eqn, inputs):
    axis = eqn.params["axis"]
    return [joined(lambda arrays: np.stack(arrays, axis), inputs)]


@rule("unstack")
def _unstack(context, eqn, inputs):
    axis, (v,) = eqn.params["axis"], inputs
    return [move(lambda a, i=i: np.take(a, i, axis), v) for i in range(v.shape[axis])]


@rule("split")
def _split(context, eqn, inputs):
    cuts = list(itertools.accumulate(int(s) for s in eqn.params["sizes"]))[:-1]
    axis = eqn.params["axis"]
    return [
        move(lambda v, i=i: np.split(v, cuts, axis)[i], inputs[0])
        for i in range(len(cuts) + 1)
    ]


@rule("pad")
def _pad(context, eqn, inputs):
    config = eqn.params["padding_config"]

    def padded(arrays):
        v, fill = arrays
        # Negative padding crops: write into a roomier array, then cut.
        sizes, place, cut = [], [], []
        for n, (lo, hi, inside) in zip(v.shape, config, strict=True):
            spread = n + inside * max(n - 1, 0)
            sizes.append(spread + max(lo, 0) + max(hi, 0))
            place.append(slice(max(lo, 0), max(lo, 0) + spread, inside + 1))
            cut.append(slice(max(-lo, 0), max(-lo, 0) + lo + hi + spread))
        out = np.full(sizes, fill, v.dtype)
        out[tuple(place)] = v
        return out[tuple(cut)]

    return [joined(padded, inputs)]


@rule("slice")
def _slice(context, eqn, inputs):
    p = eqn.params
    steps = p["strides"] or (1,) * len(p["start_indices"])
    cut = tuple(map(slice, p["start_indices"], p["limit_indices"], steps))
    return [move(lambda v: v[cut], inputs[0])]


def _window(shape, sizes, starts):
    starts = [int(integers(s, "a slice index")) for s in starts]
    return tuple(
        slice(min(max(s, 0), n - k), min(max(s, 0), n - k) + k)
        for s, n, k in zip(starts, shape, sizes, strict=True)
    )


@rule("dynamic_slice")
def _dynamic_slice(context, eqn, inputs):
    cut = _window(inputs[0].shape, eqn.params["slice_sizes"], inputs[1:])
    return [move(lambda v: v[cut], inputs[0])]


@rule("dynamic_update_slice")
def _dynamic_update_slice(context, eqn, inputs):
    cut = _window(inputs[0].shape, inputs[1].shape, inputs[2:])

    def written(arrays):
        out = np.array(arrays[0])
        out[cut] = arrays[1]
        return out

    return [joined(written, inputs[:2])]


@rule("select_n")
def _select_n(context, eqn, inputs):
    which, cases = decided(inputs[0]), alike(inputs[1:])
    if isinstance(which, np.ndarray):
        index = np.broadcast_to(which.astype(int), cases[0].shape)
        return [joined(lambda arrays: np.choose(index, arrays), cases)]
    which = which.map(lambda v: np.broadcast_to(v, cases[0].shape))
    off, on = cases
    if isinstance(off, np.ndarray):
        off, on = (trool(off), trool(on)) if off.dtype == bool else (off, on)
    if isinstance(off, np.ndarray):
        if np.any(which.unsure & (off != on)):
            raise NoEnclosure(
                "primitive select_n: an integer depends on the box", by_value=True
            )
        return [np.where(which.hi, on, off)]
    if isinstance(off, Trool):
        lo = (which.hi | off.lo) & (~which.hi | (on.lo & (which.lo | off.lo)))
        hi = (which.hi & on.hi) | (~which.lo & off.hi)
        return [decided(Trool(lo, hi))]
    both = ar.hull(off, on)
    if context.strict:
        agree = off.thin & on.thin & (off.lo == on.lo)
        both = both.map(lambda v: np.where(agree, v, np.nan))

    def chosen(end):
        first = np.where(which.lo, getattr(on, end), getattr(off, end))
        return np.where(which.unsure, getattr(both, end), first)

    return [Interval(chosen("lo"), chosen("hi"))]


def positions(operand_shape, indices, dims, sizes, out_shape, mode):
    """Flat operand index of every gathered entry, -1 where it is out of bounds."""
    window = [
        d
        for d in range(len(operand_shape))
        if d not in (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
    ]
    batch = [i for i in range(len(out_shape)) if i not in dims.offset_dims]

    def along_batch(v):
        full = [1] * len(out_shape)
        for axis, size in zip(batch, v.shape, strict=True):
            full[axis] = size
        return v.reshape(full)

    grid = np.indices(indices.shape[:-1], sparse=False)
    flat, valid = np.zeros(out_shape, int), np.ones(out_shape, bool)
    for d, n in enumerate(operand_shape):
        start = np.zeros(indices.shape[:-1], int)
        if d in dims.start_index_map:
            start = indices[..., dims.start_index_map.index(d)].astype(int)
        elif d in dims.operand_batching_dims:
            j = dims.operand_batching_dims.index(d)
            start = grid[dims.start_indices_batching_dims[j]]
        inside = (start >= 0) & (start <= n - sizes[d])
        if mode == lax.GatherScatterMode.CLIP:
            start, inside = np.clip(start, 0, n - sizes[d]), np.ones_like(inside)
        valid &= along_batch(inside)
        place = along_batch(start)
        if d in window:
            axis = dims.offset_dims[window.index(d)]
            offset = [1] * len(out_shape)
            offset[axis] = sizes[d]
            place = place + np.arange(sizes[d]).reshape(offset)
        flat = flat * n + place
    if mode == lax.GatherScatterMode.PROMISE_IN_BOUNDS and not valid.all():
        raise NoEnclosure("an index promised to be in bounds is not")
    return np.where(valid, flat, -1)


@rule("gather")
def _gather(context, eqn, inputs):
    v, p, out = inputs[0], eqn.params, eqn.outvars[0].aval
    at = positions(
        v.shape,
        integers(inputs[1], "a gather index"),
        p["dimension_numbers"],
        p["slice_sizes"],
        out.shape,
        p["mode"],
    )
    if (at < 0).any() and p["fill_value"] is None and isinstance(v, np.ndarray):
        raise NoEnclosure("primitive gather: an index is out of bounds")
    fill = np.nan if p["fill_value"] is None else p["fill_value"]
    missing = at < 0

    def picked(a):
        found = a.ravel()[np.where(missing, 0, at)]
        return (
            np.where(missing, fill, found).astype(a.dtype) if missing.any() else found
        )

    return [move(picked, v)]


@rule("scatter", "scatter-add", "scatter_add", "scatter-min", "scatter-max")
def _scatter(context, eqn, inputs):
    operand, index, update = inputs
    dn = eqn.params["dimension_numbers"]
    dims = lax.GatherDimensionNumbers(
        offset_dims=dn.update_window_dims,
        collapsed_slice_dims=dn.inserted_window_dims,
        start_index_map=dn.scatter_dims_to_operand_dims,
        operand_batching_dims=dn.operand_batching_dims,
        start_indices_batching_dims=dn.scatter_indices_batching_dims,
    )
    fixed = (*dn.inserted_window_dims, *dn.operand_batching_dims)
    sizes, windows = [], iter(dn.update_window_dims)
    for d in range(len(operand.shape)):
        sizes.append(1 if d in fixed else update.shape[next(windows)])
    at = positions(
        operand.shape,
        integers(index, "a scatter index"),
        dims,
        sizes,
        update.shape,
        eqn.params["mode"],
    ).ravel()
    keep = at >= 0
    at = at[keep]
    name = eqn.primitive.name

    def with_ufunc(ufunc):
        def apply(arrays):
            out = np.array(arrays[0]).ravel()
            ufunc.at(out, at, arrays[1].ravel()[keep])
            return out.reshape(arrays[0].shape)

        return apply

    if name == "scatter":
        if np.unique(at).size != at.size:
            raise NoEnclosure("primitive scatter writes one entry twice")

        def written(arrays):
            out = np.array(arrays[0]).ravel()
            out[at] = arrays[1].ravel()[keep]
            return out.reshape(arrays[0].shape)

        return [joined(written, [operand, update])]
    if name in ("scatter-min", "scatter-max"):
        f = np.minimum if name == "scatter-min" else np.maximum
        return [joined(with_ufunc(f), [operand, update])]
    pair = alike([operand, update])
    if isinstance(pair[0], np.ndarray):
        return [with_ufunc(np.add)(pair)]
    adds = with_ufunc(np.add)
    count = np.bincount(at, minlength=int(np.prod(operand.shape, dtype=int)))
    g = 1.01 * gam(int(count.max(initial=0)) + 5, float)

    def side(end, widen, sign):
        arrays = [getattr(v, end) for v in pair]
        s, size = adds(arrays), g * adds([np.abs(a) for a in arrays])
        still = (count == 0).reshape(s.shape) | (size == 0)
        return np.where(still, s, widen(s + sign * ar.up(size)))

    return [ar.sealed(side("lo", ar.down, -1), side("hi", ar.up, 1))]


@rule("cond")
def _cond(context, eqn, inputs):
    which = int(integers(inputs[0], "the predicate of cond"))
    branches = eqn.params["branches"]
    branch = branches[min(max(which, 0), len(branches) - 1)]
    return evaluate(context, branch.jaxpr, branch.consts, inputs[1:])


@rule("scan")
def _scan(context, eqn, inputs):
    p, body = eqn.params, eqn.params["jaxpr"]
    n_const, n_carry = p["num_consts"], p["num_carry"]
    consts, carry = inputs[:n_const], inputs[n_const : n_const + n_carry]
    xs, steps = inputs[n_const + n_carry :], range(p["length"])
    if p["length"] > _MAX_TRIPS:
        raise NoEnclosure(f"scan of {p['length']} > {_MAX_TRIPS} steps; shorten it")
    rows: dict[int, list[Value]] = {}
    for i in reversed(steps) if p["reverse"] else steps:
        here = [move(lambda v, i=i: v[i], x) for x in xs]
        out = evaluate(context, body.jaxpr, body.consts, [*consts, *carry, *here])
        carry, rows[i] = out[:n_carry], out[n_carry:]
    stacked = []
    for j, var in enumerate(eqn.outvars[n_carry:]):
        if rows:
            stacked.append(joined(np.stack, [rows[i][j] for i in steps]))
        else:
            empty = np.zeros(var.aval.shape, var.aval.dtype)
            stacked.append(ar.point(empty) if empty.dtype.kind == "f" else empty)
    return [*carry, *stacked]


@rule("while")
def _while(context, eqn, inputs):
    p, (cond, body) = eqn.params, (eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"])
    a, b = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    cond_consts, body_consts, carry = inputs[:a], inputs[a:b], inputs[b:]
    seen = reached(cond.jaxpr, [True])
    looked_at = itertools.compress(cond.jaxpr.invars, seen)
    if any(v.aval.dtype.kind == "f" for v in looked_at):
        raise NoEnclosure(
            "while has a predicate on floating values; use a loop of fixed length"
        )
    for _ in range(_MAX_TRIPS):
        (go,) = evaluate(context, cond.jaxpr, cond.consts, [*cond_consts, *carry])
        if not bool(integers(go, "the predicate of while")):
            return carry
        carry = evaluate(context, body.jaxpr, body.consts, [*body_consts, *carry])
    raise NoEnclosure(f"while runs more than {_MAX_TRIPS} trips; use a bounded loop")
