"""Reductions, running reductions, orders, and products of matrices."""

import math
from typing import Any

import numpy as np

from banach.engine.interpret.elementwise import ranks
from banach.engine.interpret.table import (
    FLOATS,
    dtype_of,
    result,
    rule,
    shape_of,
)


def least_of(dtype: np.dtype) -> Any:
    """What the maximum of nothing is."""
    if dtype in FLOATS:
        return dtype.type(-np.inf)
    return dtype.type(False if dtype.kind == "b" else np.iinfo(dtype).min)


def most_of(dtype: np.dtype) -> Any:
    """What the minimum of nothing is."""
    if dtype in FLOATS:
        return dtype.type(np.inf)
    return dtype.type(True if dtype.kind == "b" else np.iinfo(dtype).max)


_UFUNCS: dict[str, tuple[np.ufunc, Any]] = {
    "reduce_sum": (np.add, None),
    "reduce_prod": (np.multiply, None),
    "reduce_max": (np.maximum, least_of),
    "reduce_min": (np.minimum, most_of),
    "reduce_and": (np.bitwise_and, None),
    "reduce_or": (np.bitwise_or, None),
    "reduce_xor": (np.bitwise_xor, None),
}


@rule(*_UFUNCS)
def _reduce(eqn):
    ufunc, start = _UFUNCS[eqn.primitive.name]
    axes, dtype = tuple(int(i) for i in eqn.params["axes"]), dtype_of(eqn)
    if not axes:
        return lambda x: x
    shape, out = shape_of(eqn), result(eqn)
    if start is not None and math.prod(shape) == 0:
        end, target = start(dtype), out.shape
        return lambda x: np.full(target, end, dtype)[()]
    if dtype.kind == "b":
        ufunc = {"reduce_and": np.logical_and, "reduce_or": np.logical_or}.get(
            eqn.primitive.name, ufunc
        )
    reduce = ufunc.reduce
    axis: Any = None if len(axes) == len(shape) else axes
    if len(axes) == 1:
        axis = axes[0]
    return lambda x: reduce(x, axis, dtype)


def _one_axis(eqn):
    return None if len(eqn.params["axes"]) == 1 else "more than one axis"


@rule("argmax", "argmin", unless=_one_axis)
def _argmax(eqn):
    (axis,) = eqn.params["axes"]
    find = np.argmax if eqn.primitive.name == "argmax" else np.argmin
    dtype = np.dtype(eqn.params["index_dtype"])
    return lambda x: find(x, axis).astype(dtype)


_RUNNING = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
    "cumlogsumexp": np.logaddexp,
}


@rule(*_RUNNING)
def _running(eqn):
    accumulate = _RUNNING[eqn.primitive.name].accumulate
    axis, dtype = eqn.params["axis"], dtype_of(eqn)
    if not eqn.params["reverse"]:
        return lambda x: accumulate(x, axis, dtype)
    turn = (*(slice(None),) * axis, slice(None, None, -1))
    return lambda x: accumulate(x[turn], axis, dtype)[turn]


@rule("sort", many=True)
def _sort(eqn):
    axis, keys = eqn.params["dimension"], eqn.params["num_keys"]
    if len(eqn.invars) == 1:
        return lambda x: [np.sort(x, axis, kind="stable")]
    flat = len(shape_of(eqn)) == 1

    def ordered(*xs):
        if keys == 1:
            order = np.argsort(xs[0], axis, kind="stable")
        else:
            order = np.lexsort(xs[:keys][::-1], axis)
        if flat:
            return [x[order] for x in xs]
        return [np.take_along_axis(x, order, axis) for x in xs]

    return ordered


@rule("top_k", many=True)
def _top_k(eqn):
    k = eqn.params["k"]
    axis = eqn.params.get("axis", len(shape_of(eqn)) - 1)
    axis = axis % len(shape_of(eqn))
    turn = (*(slice(None),) * axis, slice(None, None, -1))
    first = (*(slice(None),) * axis, slice(0, k))
    n, dtype = shape_of(eqn)[axis], result(eqn, 1).dtype
    ranked = ranks(dtype_of(eqn))

    def top(x):
        # Turned twice, so that of equals the one with the lower index is first.
        order = np.argsort(ranked(x)[turn], axis, kind="stable")
        order = (n - 1 - order)[turn][first]
        return [np.take_along_axis(x, order, axis), order.astype(dtype)]

    return top


@rule("dot_general")
def _dot_general(eqn):
    (left, right), (lead, follow) = eqn.params["dimension_numbers"]
    left, right, lead, follow = (
        tuple(int(i) for i in axes) for axes in (left, right, lead, follow)
    )
    a, b, out = shape_of(eqn), shape_of(eqn, 1), result(eqn)
    multiply = _product(a, b, left, right, lead, follow, out.shape)
    if {dtype_of(eqn), dtype_of(eqn, 1)} == {out.dtype}:
        return multiply
    wide = np.result_type(dtype_of(eqn), dtype_of(eqn, 1), out.dtype)
    dtype = out.dtype
    return lambda x, y: multiply(x.astype(wide), y.astype(wide)).astype(dtype)


def _product(a, b, left, right, lead, follow, target):
    """The product of arrays of shapes a and b over the given axes."""
    if not lead:
        if not left:
            return np.multiply.outer
        if len(left) == 1 and len(a) <= 2 and len(b) <= 2:
            turn_a, turn_b = left[0] != len(a) - 1, right[0] != 0
            if not turn_a and not turn_b:
                return np.dot
            if turn_a and not turn_b:
                return lambda x, y: np.dot(x.T, y)
            if not turn_a:
                return lambda x, y: np.dot(x, y.T)
            return lambda x, y: np.dot(x.T, y.T)
    free_a = [i for i in range(len(a)) if i not in left and i not in lead]
    free_b = [i for i in range(len(b)) if i not in right and i not in follow]
    order_a, order_b = (*lead, *free_a, *left), (*follow, *right, *free_b)
    batch = [a[i] for i in lead]
    terms = math.prod(a[i] for i in left)
    rows, columns = (math.prod(s[i] for i in f) for s, f in ((a, free_a), (b, free_b)))
    shape_a, shape_b = (*batch, rows, terms), (*batch, terms, columns)
    still_a, still_b = order_a == (*range(len(a)),), order_b == (*range(len(b)),)
    flat_a, flat_b = still_a and shape_a == a, still_b and shape_b == b
    done = target == (*batch, rows, columns)

    def product(x, y):
        if not flat_a:
            x = (x if still_a else x.transpose(order_a)).reshape(shape_a)
        if not flat_b:
            y = (y if still_b else y.transpose(order_b)).reshape(shape_b)
        out = np.matmul(x, y)
        return out if done else out.reshape(target)[()]

    return product
