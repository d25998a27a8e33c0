"""Gather and scatter, in all the ways JAX treats indices out of bounds."""

import math
from typing import Any

import numpy as np

from banach.engine.interpret.table import dtype_of, result, rule, shape_of


class _Places:
    """Where the windows of a gather or scatter lie in the operand.

    `batch` is the shape of the indices without the vector, `windows` the sizes of the
    operand's axes within a window, `mapped` which axis each entry of the index vector
    moves, `paired` pairs an axis of the operand with one of the indices. Positions
    are arrays, one an axis of the operand, that broadcast to (*batch, *window).
    """

    def __init__(self, shape, indices, windows, kept, mapped, paired):
        self.batch, self.windows = indices[:-1], windows
        self.mapped = mapped
        self.limits = [shape[axis] - windows[axis] for axis in mapped]
        ndim = len(self.batch) + len(kept)
        self.fixed: list[Any] = [None] * len(shape)
        for i, axis in enumerate(kept):
            along = [1] * ndim
            along[len(self.batch) + i] = windows[axis]
            self.fixed[axis] = np.arange(windows[axis]).reshape(along)
        for axis, other in paired:
            along = [1] * ndim
            along[other] = self.batch[other]
            self.fixed[axis] = np.arange(self.batch[other]).reshape(along)
        self.column = (*self.batch, *(1,) * len(kept))

    def starts(self, indices, clamp):
        """The first position of each window an axis, and which windows lie inside."""
        inside, starts = True, []
        for i, limit in enumerate(self.limits):
            start = indices[..., i]
            if not clamp:
                inside = inside & (start >= 0) & (start <= limit)
            if start.dtype.kind == "u":
                start = np.minimum(start, start.dtype.type(max(limit, 0)))
            starts.append(np.clip(start.astype(np.int64), 0, max(limit, 0)))
        return starts, inside

    def positions(self, starts):
        """The positions of all entries, as an index of the operand."""
        full = list(self.fixed)
        for axis, start in zip(self.mapped, starts, strict=True):
            start = start.reshape(self.column)
            full[axis] = start if full[axis] is None else start + full[axis]
        return tuple(0 if v is None else v for v in full)


def _mode(eqn: Any) -> str:
    return eqn.params["mode"].name


def _known(eqn: Any) -> str | None:
    if _mode(eqn) not in ("CLIP", "FILL_OR_DROP", "PROMISE_IN_BOUNDS"):
        return f"indices in mode {_mode(eqn)}"
    return None


def _filling(eqn):
    """What stands where a window lies outside."""
    # lax.gather itself says which, where its caller did not.
    return np.asarray(eqn.params["fill_value"]).astype(result(eqn).dtype)


def _ints(values):
    return tuple(int(v) for v in values)


@rule("gather", unless=_known)
def _gather(eqn):
    d, shape, indices = eqn.params["dimension_numbers"], shape_of(eqn), shape_of(eqn, 1)
    windows = _ints(eqn.params["slice_sizes"])
    gone = {*_ints(d.collapsed_slice_dims), *_ints(d.operand_batching_dims)}
    kept = [axis for axis in range(len(shape)) if axis not in gone]
    pairs = zip(
        _ints(d.operand_batching_dims),
        _ints(d.start_indices_batching_dims),
        strict=True,
    )
    mapped = _ints(d.start_index_map)
    places = _Places(shape, indices, windows, kept, mapped, list(pairs))
    out, fill = result(eqn), _mode(eqn) == "FILL_OR_DROP"
    # The axes of the result: those of the batch in order, windows at offset_dims.
    offsets = _ints(d.offset_dims)
    rest = [axis for axis in range(len(out.shape)) if axis not in offsets]
    order = [0] * len(out.shape)
    for i, axis in enumerate([*rest, *offsets]):
        order[axis] = i
    moved = order != list(range(len(order)))
    target, full = out.shape, (*places.batch, *(windows[a] for a in kept))
    if math.prod(target) == 0 or math.prod(shape) == 0:
        nothing = np.full(target, _filling(eqn) if fill else 0, out.dtype)
        return lambda x, i: nothing
    filling = _filling(eqn) if fill else None

    def gathered(x, indices):
        starts, inside = places.starts(indices, not fill)
        got = np.broadcast_to(x[places.positions(starts)], full)
        if fill and not np.all(inside):
            inside = np.reshape(inside, places.column)
            got = np.where(inside, got, filling)
        if moved:
            got = got.transpose(order)
        return got[()]

    rows = places.windows[0] == 1 and kept == list(range(1, len(shape)))
    whole = all(windows[a] == shape[a] for a in kept)
    if rows and whole and mapped == (0,) and not moved and not fill:
        limit = shape[0] - 1
        # Rows (or entries) by one index each.
        if dtype_of(eqn, 1).kind == "i":
            return lambda x, i: x.take(i[..., 0], axis=0, mode="clip")
        return lambda x, i: x[np.clip(i[..., 0].astype(np.int64), 0, limit)]
    return gathered


_AT: dict[str, Any] = {
    "scatter-add": np.add,
    "scatter-sub": np.subtract,
    "scatter-mul": np.multiply,
    "scatter-min": np.minimum,
    "scatter-max": np.maximum,
}


def _applied(eqn: Any) -> str | None:
    """A scatter may apply any function to what it meets."""
    if eqn.primitive.name == "scatter" and eqn.params["update_jaxpr"] is not None:
        return "a scatter that applies a function"
    return _known(eqn)


@rule("scatter", *_AT, unless=_applied)
def _scatter(eqn):
    d, shape, indices = eqn.params["dimension_numbers"], shape_of(eqn), shape_of(eqn, 1)
    updates = shape_of(eqn, 2)
    inserted = {*_ints(d.inserted_window_dims), *_ints(d.operand_batching_dims)}
    kept = [axis for axis in range(len(shape)) if axis not in inserted]
    inside_axes = _ints(d.update_window_dims)
    windows = [1] * len(shape)
    for axis, place in zip(kept, inside_axes, strict=True):
        windows[axis] = updates[place]
    pairs = zip(
        _ints(d.operand_batching_dims),
        _ints(d.scatter_indices_batching_dims),
        strict=True,
    )
    places = _Places(
        shape,
        indices,
        tuple(windows),
        kept,
        _ints(d.scatter_dims_to_operand_dims),
        list(pairs),
    )
    rest = [axis for axis in range(len(updates)) if axis not in inside_axes]
    order = (*rest, *inside_axes)
    moved = order != (*range(len(updates)),)
    clamp, count = _mode(eqn) == "CLIP", len(places.batch)
    ufunc = _AT.get(eqn.primitive.name)
    if math.prod(updates) == 0 or math.prod(shape) == 0:
        return lambda x, i, new: x
    dtype = dtype_of(eqn)

    def scattered(x, indices, new):
        out = np.array(x, dtype)
        starts, inside = places.starts(indices, clamp)
        if moved:
            new = new.transpose(order)
        if not np.all(inside):
            # Windows that stick out are left out as a whole.
            held = np.broadcast_to(inside, places.batch)
            spots = np.broadcast_arrays(*places.positions(starts), subok=False)
            spots = tuple(np.broadcast_to(s, new.shape)[held] for s in spots)
            new = new[held]
        else:
            spots = places.positions(starts)
        if ufunc is None:
            out[spots] = new
        else:
            ufunc.at(out, spots, new)
        return out[()]

    if not shape:
        return _scalar_scatter(ufunc)
    if count == 0 and not indices[-1] == 0:
        return _one_window(places, windows, kept, clamp, ufunc, dtype)
    if len(shape) == 1 and not kept and places.mapped == (0,):
        return _entries(scattered, shape[0] - 1, clamp, ufunc, dtype)
    return scattered


def _entries(scattered, limit, clamp, ufunc, dtype):
    """A scatter of single entries into a vector: no window is put together."""

    def entries(x, indices, new):
        at = indices.ravel()
        low, high = at.min(), at.max()
        if low < 0 or high > limit:
            if not clamp:
                return scattered(x, indices, new)
            at = np.clip(at, 0, limit)
        out, at = np.array(x, dtype), at.astype(np.intp)
        if ufunc is None:
            out[at] = new.ravel()
        else:
            ufunc.at(out, at, new.ravel())
        return out

    return entries


def _scalar_scatter(ufunc):
    if ufunc is None:
        return lambda x, i, new: new
    return lambda x, i, new: ufunc(x, new)


def _one_window(places, windows, kept, clamp, ufunc, dtype):
    """A scatter of a single window, which is a slice of the operand."""

    def scattered(x, indices, new):
        out = np.array(x, dtype)
        cut: list[Any] = [slice(0, n) for n in windows]
        for axis, limit, given in zip(
            places.mapped, places.limits, indices.tolist(), strict=True
        ):
            start = given
            if clamp:
                start = min(max(start, 0), limit)
            elif not 0 <= start <= limit:
                return out
            cut[axis] = slice(start, start + windows[axis])
        spot = tuple(c if a in kept else c.start for a, c in enumerate(cut))
        if ufunc is None:
            out[spot] = new
        else:
            out[spot] = ufunc(out[spot], new)
        return out

    return scattered
