"""Interval rules of reductions, cumulative operations and products."""

import numpy as np

from banach.checks.interval import arithmetic as ar
from banach.checks.interval.arithmetic import Interval
from banach.checks.interval.evaluate import (
    NoEnclosure,
    all_exact,
    decided,
    interval,
    rule,
    trool,
)


@rule("reduce_sum", "reduce_max", "reduce_min", "reduce_prod")
def _reduce(context, eqn, inputs):
    (a,), name = inputs, eqn.primitive.name
    axes = tuple(int(i) for i in eqn.params["axes"])
    f = {
        "reduce_sum": np.sum,
        "reduce_max": np.max,
        "reduce_min": np.min,
        "reduce_prod": np.prod,
    }[name]
    if isinstance(a, np.ndarray):
        return [np.asarray(f(a, axis=axes)).astype(a.dtype)]
    if name == "reduce_sum":
        return [ar.total(a, axes)]
    if name != "reduce_prod":
        return [a.map(lambda v: f(v, axis=axes))]
    rest = [i for i in range(len(a.shape)) if i not in axes]
    shape = [a.shape[i] for i in rest]
    flat = a.map(lambda v: np.transpose(v, [*axes, *rest]).reshape(-1, *shape))
    result = ar.point(np.ones(shape))
    for i in range(flat.shape[0]):
        result = ar.mul(result, flat.map(lambda v, i=i: v[i]))
    return [result]


@rule("reduce_and", "reduce_or")
def _reduce_logic(context, eqn, inputs):
    axes = tuple(int(i) for i in eqn.params["axes"])
    f = np.all if eqn.primitive.name == "reduce_and" else np.any
    return [decided(trool(inputs[0]).map(lambda v: f(v, axis=axes)))]


@rule("argmax", "argmin")
def _argmax(context, eqn, inputs):
    (axis,), (a,) = eqn.params["axes"], inputs
    pick = np.argmax if eqn.primitive.name == "argmax" else np.argmin
    dtype = eqn.params["index_dtype"]
    if isinstance(a, np.ndarray):
        return [pick(a, axis=axis).astype(dtype)]
    a = interval(a) if pick is np.argmax else ar.neg(interval(a))
    best = np.expand_dims(np.argmax(a.lo, axis=axis), axis)
    floor = np.take_along_axis(a.lo, best, axis)
    places = np.arange(a.shape[axis]).reshape(
        [-1 if i == axis else 1 for i in range(len(a.shape))]
    )
    # Ties go to the first entry, so earlier ones must be strictly below.
    beaten = np.where(places < best, a.hi < floor, a.hi <= floor)
    if not np.all(beaten | (places == best)):
        raise NoEnclosure("primitive argmax is undecided in the box", by_value=True)
    return [np.squeeze(best, axis).astype(dtype)]


@rule("cumsum", "cumprod", "cummax", "cummin")
def _cumulative(context, eqn, inputs):
    (a,), name, axis = inputs, eqn.primitive.name, eqn.params["axis"]
    if isinstance(a, np.ndarray):
        f = {"cumsum": np.add, "cumprod": np.multiply}
        f |= {"cummax": np.maximum, "cummin": np.minimum}
        v = np.flip(a, axis) if eqn.params["reverse"] else a
        v = f[name].accumulate(v, axis=axis, dtype=a.dtype)
        return [np.flip(v, axis) if eqn.params["reverse"] else v]
    join = {"cumsum": ar.add, "cumprod": ar.mul}
    join |= {"cummax": ar.maximum, "cummin": ar.minimum}
    parts = a.map(lambda v: np.moveaxis(v, axis, 0))
    order = range(parts.shape[0])
    order = order[::-1] if eqn.params["reverse"] else order
    done, running = {}, None
    for i in order:
        here = parts.map(lambda v, i=i: v[i])
        running = here if running is None else join[name](running, here)
        done[i] = running
    if not done:
        return [a]
    rows = [done[i] for i in range(len(done))]
    return [
        Interval(
            np.moveaxis(np.stack([r.lo for r in rows]), 0, axis),
            np.moveaxis(np.stack([r.hi for r in rows]), 0, axis),
        )
    ]


@rule("dot_general")
def _dot_general(context, eqn, inputs):
    ((lc, rc), (lb, rb)) = eqn.params["dimension_numbers"]
    if not all_exact(inputs):
        inputs = [interval(v) for v in inputs]
    a, b = inputs
    free_a = [i for i in range(len(a.shape)) if i not in (*lc, *lb)]
    free_b = [i for i in range(len(b.shape)) if i not in (*rc, *rb)]
    batch = [a.shape[i] for i in lb]
    m, n = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    k = int(np.prod([a.shape[i] for i in lc], dtype=int))
    size_m, size_n = int(np.prod(m, dtype=int)), int(np.prod(n, dtype=int))

    def left(v):
        return np.transpose(v, [*lb, *free_a, *lc]).reshape(*batch, size_m, k)

    def right(v):
        return np.transpose(v, [*rb, *rc, *free_b]).reshape(*batch, k, size_n)

    shape = (*batch, *m, *n)
    if all_exact(inputs):
        dtype = eqn.outvars[0].aval.dtype
        return [(left(a).astype(dtype) @ right(b).astype(dtype)).reshape(shape)]
    out = ar.matmul(a.map(left), b.map(right))
    return [out.map(lambda v: v.reshape(shape))]
