"""Interval rules of elementwise, reducing and contracting primitives."""

import operator

import numpy as np

from banach.checks.interval import arithmetic as ar
from banach.checks.interval import libm
from banach.checks.interval.arithmetic import Interval, Trool
from banach.checks.interval.evaluate import (
    NoEnclosure,
    decided,
    integers,
    interval,
    rule,
    trool,
)


def _exact(inputs):
    return all(isinstance(v, np.ndarray) for v in inputs)


def _same(eqn):
    """Whether both operands are the same variable (a - a is 0, a * a a square)."""
    return eqn.invars[0] is eqn.invars[1]


def _trunc_div(a, b):
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


_INTEGER = {
    "add": operator.add,
    "add_any": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "max": np.maximum,
    "min": np.minimum,
    "div": _trunc_div,
    "rem": np.fmod,
}
_REAL = {
    "add": ar.add,
    "add_any": ar.add,
    "sub": ar.sub,
    "mul": ar.mul,
    "div": ar.div,
    "max": lambda a, b: Interval(np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi)),
    "min": lambda a, b: Interval(np.minimum(a.lo, b.lo), np.minimum(a.hi, b.hi)),
}


@rule(*_REAL, "rem")
def _binary(context, eqn, inputs):
    name = eqn.primitive.name
    if _exact(inputs):
        if name in ("div", "rem") and np.any(inputs[1] == 0):
            raise NoEnclosure(f"primitive {name}: integer division by zero")
        return [np.asarray(_INTEGER[name](*inputs))]
    if name == "rem":
        raise NoEnclosure("primitive rem jumps; use sin and cos for periodic terms")
    if any(isinstance(v, Trool) for v in inputs):
        raise NoEnclosure(f"primitive {name} of undecided booleans", by_value=True)
    a, b = map(interval, inputs)
    if _same(eqn) and name == "mul":
        return [ar.square(a)]
    if _same(eqn) and name == "sub":
        zero = np.where(a.unknown | np.isinf(a.lo) | np.isinf(a.hi), np.nan, 0.0)
        return [ar.point(zero)]
    return [_REAL[name](a, b)]


@rule("neg", "abs", "square", "sqrt", "rsqrt", "sign")
def _unary(context, eqn, inputs):
    name, (v,) = eqn.primitive.name, inputs
    if isinstance(v, np.ndarray):
        return [{"neg": np.negative, "abs": np.abs, "sign": np.sign}[name](v)]
    if name == "sign":
        return [_steps(context, np.sign(v.lo), np.sign(v.hi))]
    if name == "rsqrt":
        return [ar.div(ar.point(np.ones(v.shape)), ar.sqrt(v))]
    f = {"neg": ar.neg, "abs": ar.absolute, "square": ar.square, "sqrt": ar.sqrt}
    return [f[name](v)]


def _steps(context, lo, hi):
    """Range of a step function; in strict mode unknown where it may jump."""
    if context.strict:
        lo = np.where(lo == hi, lo, np.nan)
    return Interval(lo, np.where(np.isnan(lo), np.nan, hi))


@rule("floor", "ceil", "round")
def _rounding(context, eqn, inputs):
    (a,) = inputs
    f = {"floor": np.floor, "ceil": np.ceil, "round": np.round}[eqn.primitive.name]
    if eqn.primitive.name == "round" and int(eqn.params["rounding_method"]) == 0:
        raise NoEnclosure("primitive round away from zero has no interval rule")
    return [_steps(context, f(a.lo), f(a.hi))]


@rule(*libm.INCREASING, *libm.DECREASING)
def _monotone(context, eqn, inputs):
    return [libm.monotone(context.points, eqn.primitive.name, interval(inputs[0]))]


@rule("sin", "cos")
def _sine(context, eqn, inputs):
    return [libm.sine(context.points, eqn.primitive.name, interval(inputs[0]))]


@rule("tan", "cosh", "logistic")
def _shaped(context, eqn, inputs):
    f = {"tan": libm.tangent, "cosh": libm.cosh, "logistic": libm.logistic}
    return [f[eqn.primitive.name](context.points, interval(inputs[0]))]


@rule("pow")
def _pow(context, eqn, inputs):
    return [libm.power(context.points, *map(interval, inputs))]


@rule("integer_pow")
def _integer_pow(context, eqn, inputs):
    (a,), y = inputs, eqn.params["y"]
    return [a**y] if isinstance(a, np.ndarray) else [ar.integer_pow(a, y)]


@rule("eq", "ne", "lt", "le", "gt", "ge")
def _compare(context, eqn, inputs):
    name = eqn.primitive.name
    if _exact(inputs):
        return [np.asarray(getattr(operator, name)(*inputs))]
    if any(isinstance(v, Trool) for v in inputs):
        raise NoEnclosure(f"primitive {name} of undecided booleans", by_value=True)
    a, b = map(interval, inputs)
    if _same(eqn):
        # An interval holds numbers, never NaN: v == v, unless nothing is known.
        holds = name in ("eq", "le", "ge")
        verdict = Trool(
            np.where(a.unknown, False, holds), np.where(a.unknown, True, holds)
        )
    elif name in ("gt", "ge"):
        verdict = {"gt": ar.less, "ge": ar.less_equal}[name](b, a)
    elif name in ("lt", "le"):
        verdict = {"lt": ar.less, "le": ar.less_equal}[name](a, b)
    else:
        verdict = ar.equal(a, b)
        if name == "ne":
            verdict = Trool(~verdict.hi, ~verdict.lo)
    return [decided(verdict)]


@rule("is_finite")
def _is_finite(context, eqn, inputs):
    (a,) = inputs
    finite = np.isfinite(a.lo) & np.isfinite(a.hi)
    return [decided(Trool(finite, finite | a.unknown))]


@rule("and", "or", "xor", "not")
def _logic(context, eqn, inputs):
    name = eqn.primitive.name
    if _exact(inputs):
        f = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}
        return [np.asarray(f[name](*inputs) if name != "not" else ~inputs[0])]
    a = trool(inputs[0])
    if name == "not":
        return [Trool(~a.hi, ~a.lo)]
    b = trool(inputs[1])
    if name == "and":
        return [decided(Trool(a.lo & b.lo, a.hi & b.hi))]
    if name == "or":
        return [decided(Trool(a.lo | b.lo, a.hi | b.hi))]
    unsure = a.unsure | b.unsure
    value = a.lo ^ b.lo
    return [decided(Trool(np.where(unsure, False, value), value | unsure))]


@rule("clamp")
def _clamp(context, eqn, inputs):
    low, x, high = inputs
    if _exact(inputs):
        return [np.minimum(np.maximum(x, low), high)]
    low, x, high = map(interval, inputs)
    return [
        Interval(
            np.minimum(np.maximum(x.lo, low.lo), high.lo),
            np.minimum(np.maximum(x.hi, low.hi), high.hi),
        )
    ]


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
    join |= {"cummax": _REAL["max"], "cummin": _REAL["min"]}
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
    if not _exact(inputs):
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
    if _exact(inputs):
        dtype = eqn.outvars[0].aval.dtype
        return [(left(a).astype(dtype) @ right(b).astype(dtype)).reshape(shape)]
    out = ar.matmul(a.map(left), b.map(right))
    return [out.map(lambda v: v.reshape(shape))]


@rule("convert_element_type")
def _convert(context, eqn, inputs):
    (v,), to = inputs, np.dtype(eqn.params["new_dtype"])
    came = eqn.invars[0].aval.dtype
    if to.kind == "f" and isinstance(v, Interval):
        if to.itemsize < np.dtype(came).itemsize:
            raise NoEnclosure(
                f"primitive convert_element_type narrows {came} to {to}; state the "
                "function in float64"
            )
        return [v]
    if to.kind == "f":
        if context.strict and isinstance(v, Trool):
            return [_steps(context, v.lo.astype(float), v.hi.astype(float))]
        return [interval(v)]
    if to.kind in "iu" and isinstance(v, Interval):
        lo, hi = np.trunc(v.lo), np.trunc(v.hi)
        if not np.all((lo == hi) & (np.abs(lo) < 2.0**31)):
            raise NoEnclosure(
                "primitive convert_element_type to integers is undecided in the box",
                by_value=True,
            )
        return [lo.astype(to)]
    if to.kind == "b" and isinstance(v, Interval):
        verdict = ar.equal(v, ar.point(np.zeros(v.shape)))
        return [decided(Trool(~verdict.hi, ~verdict.lo))]
    if to.kind == "b" and isinstance(v, Trool):
        return [v]
    return [np.asarray(integers(v, "a converted value")).astype(to)]
