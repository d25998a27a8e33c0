"""Interval rules of elementwise primitives, comparisons and conversions."""

import operator

import numpy as np

from banach.checks.interval import arithmetic as ar
from banach.checks.interval import libm
from banach.checks.interval.arithmetic import Interval, Trool
from banach.checks.interval.evaluate import (
    NoEnclosure,
    all_exact,
    decided,
    integers,
    interval,
    rule,
    trool,
)


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
    "max": ar.maximum,
    "min": ar.minimum,
}


@rule(*_REAL, "rem")
def _binary(context, eqn, inputs):
    name = eqn.primitive.name
    if all_exact(inputs):
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
    if all_exact(inputs):
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
    # Inside a box that reaches to infinity lie finite numbers.
    return [decided(Trool(finite, finite | (a.lo < a.hi) | a.unknown))]


@rule("and", "or", "xor", "not")
def _logic(context, eqn, inputs):
    name = eqn.primitive.name
    if all_exact(inputs):
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
    if all_exact(inputs):
        return [np.minimum(np.maximum(x, low), high)]
    low, x, high = map(interval, inputs)
    return [
        Interval(
            np.minimum(np.maximum(x.lo, low.lo), high.lo),
            np.minimum(np.maximum(x.hi, low.hi), high.hi),
        )
    ]


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
