"""Entry by entry: arithmetic, comparisons, choices and conversions."""

import operator
from typing import Any

import numpy as np

from banach.engine.interpret.table import (
    FLOATS,
    Function,
    dtype_of,
    is_key,
    is_scalar,
    plain,
    result,
    rule,
)

# Operators, not ufuncs: of two NumPy scalars they take a tenth of the time.
_PLAIN: dict[str, Function] = {
    "add": operator.add,
    "add_any": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
    "abs": operator.abs,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "not": operator.invert,
    "exp": np.exp,
    "exp2": np.exp2,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "atan2": np.arctan2,
    "floor": np.floor,
    "ceil": np.ceil,
    "nextafter": np.nextafter,
    "square": lambda x: x * x,
}
for _name, _function in _PLAIN.items():
    plain(_name, _function)


def _one(dtype: Any) -> Any:
    return dtype.type(1)


@rule("rsqrt")
def _rsqrt(eqn):
    one = _one(dtype_of(eqn))
    return lambda x: one / np.sqrt(x)


@rule("logistic")
def _logistic(eqn):
    one = _one(dtype_of(eqn))
    return lambda x: one / (one + np.exp(-x))


@rule("is_finite")
def _is_finite(eqn):
    if is_scalar(eqn):
        return lambda x: x - x == 0
    return np.isfinite


@rule("sign")
def _sign(eqn):
    if dtype_of(eqn) in FLOATS:  # the sign of a zero stays
        return lambda x: np.copysign(np.sign(x), x)
    return np.sign


def _greater(a, b):
    return a if a >= b or a != a else b


def _less(a, b):
    return a if a <= b or a != a else b


@rule("max")
def _max(eqn):
    return _greater if is_scalar(eqn) else np.maximum


@rule("min")
def _min(eqn):
    return _less if is_scalar(eqn) else np.minimum


@rule("clamp")
def _clamp(eqn):
    if is_scalar(eqn):
        return lambda low, x, high: _less(_greater(x, low), high)
    return lambda low, x, high: np.minimum(np.maximum(x, low), high)


@rule("div")
def _div(eqn):
    dtype = dtype_of(eqn)
    if dtype in FLOATS:
        return operator.truediv
    if dtype.kind == "u":
        ones = np.array(np.iinfo(dtype).max, dtype)
        return lambda a, b: np.where(b == 0, ones, np.floor_divide(a, b))[()]
    minus = np.array(-1, dtype)

    def quotient(a, b):
        # Rounded towards zero; NumPy rounds down. Of the least number by -1 both
        # give the least number, and by zero XLA gives -1.
        safe = np.where((b == 0) | (b == minus), np.array(1, dtype), b)
        whole = np.floor_divide(a, safe)
        whole = whole + ((whole < 0) & (whole * safe != a)).astype(dtype)
        return np.where(b == 0, minus, np.where(b == minus, -a, whole))[()]

    return quotient


@rule("rem")
def _rem(eqn):
    dtype = dtype_of(eqn)
    if dtype in FLOATS:
        return np.fmod
    one = np.array(1, dtype)

    def remainder(a, b):
        bad = b == 0
        if dtype.kind == "i":  # by -1 nothing is left; the processor would trap
            safe = np.where(bad | (b == -1), one, b)
        else:
            safe = np.where(bad, one, b)
        return np.where(bad, a, np.fmod(a, safe))[()]

    return remainder


@rule("integer_pow")
def _integer_pow(eqn):
    power, dtype = eqn.params["y"], dtype_of(eqn)
    one = _one(dtype)
    if power == 2:
        return lambda x: x * x

    def raised(x):
        out, square, left = None, x, abs(power)
        while left:
            if left & 1:
                out = square if out is None else out * square
            left >>= 1
            if left:
                square = square * square
        if out is None:
            out = x * 0 + one if dtype not in FLOATS else np.ones_like(x)[()]
        return one / out if power < 0 else out

    return raised


@rule("pow")
def _pow(eqn):
    dtype = dtype_of(eqn)
    if dtype_of(eqn, 1) == dtype:
        return np.power
    return lambda x, y: np.power(x, y.astype(dtype))


@rule("round")
def _round(eqn):
    if int(eqn.params["rounding_method"]) == 1:
        return np.rint

    def away(x):
        whole = np.trunc(x)
        more = np.abs(x - whole) >= 0.5
        return np.copysign(np.where(more, whole + np.copysign(1, x), whole), x).astype(
            dtype
        )

    dtype = dtype_of(eqn)
    return away


def ranks(dtype: np.dtype) -> Function:
    """A function to integers in the total order: -0 below 0, NaN by its sign."""
    if dtype not in FLOATS:
        return lambda x: x
    whole = np.dtype(f"int{8 * dtype.itemsize}")
    flip = np.array(np.iinfo(whole).max, whole)

    def ranked(x):
        raw = np.ascontiguousarray(x).view(whole).reshape(np.shape(x))
        return np.where(raw < 0, raw ^ flip, raw)[()]

    return ranked


_TOTAL = {"eq_to": operator.eq, "lt_to": operator.lt, "le_to": operator.le}


@rule(*_TOTAL)
def _total(eqn):
    compare, ranked = _TOTAL[eqn.primitive.name], ranks(dtype_of(eqn))
    return lambda x, y: compare(ranked(x), ranked(y))


def choose(eqn: Any) -> Any:
    """The function of select_n."""
    which = eqn.invars[0].aval
    if which.shape == ():
        if len(eqn.invars) == 3:
            return lambda c, no, yes: yes if c else no
        return lambda c, *cases: cases[int(c)]
    lift = is_key(eqn.invars[1].aval.dtype)
    if len(eqn.invars) == 3:
        if lift:
            return lambda c, no, yes: np.where(c[..., None], yes, no)
        return lambda c, no, yes: np.where(c, yes, no)
    if len(eqn.invars) == 2:
        return lambda c, only: only

    def several(c, *cases):
        if lift:
            c = c[..., None]
        out = cases[0]
        for i, case in enumerate(cases[1:], 1):
            out = np.where(c == i, case, out)
        return out

    return several


rule("select_n", keys=True)(choose)


def converted(old: np.dtype, new: np.dtype, scalar: bool) -> Any:
    """The function that converts entries as XLA does."""
    if new.kind == "b":
        return lambda x: x != 0
    if old in FLOATS and new not in FLOATS:
        return _saturating(old, new)
    if scalar and new in FLOATS:
        return new.type
    return lambda x: x.astype(new)


def _saturating(old, new):
    """To integers: cut at the ends of their range, and 0 where there is no number."""
    info = np.iinfo(new)
    # The first float beyond the range, which is a power of two, and its least.
    beyond = old.type(2.0 ** (info.bits - (new.kind == "i")))
    least = old.type(info.min)
    top, low = np.array(info.max, new), np.array(info.min, new)

    def cut(x):
        inside = (x > least - 1) & (x < beyond)
        whole = np.where(inside, x, 0).astype(new)
        whole = np.where(x >= beyond, top, whole)
        return np.where(x <= least, low, whole)[()]

    return cut


@rule("convert_element_type")
def _convert(eqn):
    return converted(dtype_of(eqn), result(eqn).dtype, is_scalar(eqn))


@rule("shift_left")
def _shift_left(eqn):
    return np.left_shift


def _shifted_right(eqn, kind):
    """A shift of the bits read as integers of this kind: signed, or not."""
    dtype = dtype_of(eqn)
    whole = np.dtype(f"{kind}{8 * dtype.itemsize}")
    if dtype == whole:
        return np.right_shift
    return lambda x, n: np.right_shift(x.view(whole), n.view(whole)).view(dtype)


@rule("shift_right_arithmetic")
def _shift_right_arithmetic(eqn):
    return _shifted_right(eqn, "int")


@rule("shift_right_logical")
def _shift_right_logical(eqn):
    return _shifted_right(eqn, "uint")


@rule("population_count")
def _population_count(eqn):
    dtype = dtype_of(eqn)
    whole = np.dtype(f"uint{8 * dtype.itemsize}")
    return lambda x: np.bitwise_count(x.view(whole)).astype(dtype)


@rule("clz")
def _clz(eqn):
    dtype = dtype_of(eqn)
    bits = 8 * dtype.itemsize
    whole = np.dtype(f"uint{bits}")

    def leading(x):
        left = np.asarray(x).view(whole)
        for n in (1, 2, 4, 8, 16, 32):
            if n < bits:
                left = left | (left >> whole.type(n))
        return (bits - np.bitwise_count(left).astype(np.int64)).astype(dtype)[()]

    return leading


def _widths(eqn):
    old, new = dtype_of(eqn), result(eqn).dtype
    if "b" in (old.kind, new.kind):
        return "bits of booleans"
    return None


@rule("bitcast_convert_type", unless=_widths)
def _bitcast(eqn):
    old, new, shape = dtype_of(eqn), result(eqn).dtype, result(eqn).shape
    if old.itemsize == new.itemsize:
        return lambda x: x.view(new)

    def view(x):
        x = np.ascontiguousarray(x)
        if old.itemsize > new.itemsize:
            x = x.reshape(*shape[:-1], 1)
        return x.view(new).reshape(shape)

    return view


@rule("reduce_precision")
def _reduce_precision(eqn):
    dtype = dtype_of(eqn)
    bits = 8 * dtype.itemsize
    mine = {32: (8, 23), 64: (11, 52)}[bits]
    exponent, mantissa = eqn.params["exponent_bits"], eqn.params["mantissa_bits"]
    whole = np.dtype(f"uint{bits}").type
    drop = max(mine[1] - mantissa, 0)
    # The largest and the smallest normal number of the narrower format.
    emax = 2 ** (exponent - 1) - 1
    with np.errstate(all="ignore"):
        most = np.ldexp(dtype.type(2) - dtype.type(2.0**-mantissa), emax)
        tiny = np.ldexp(dtype.type(1), 1 - emax)

    def reduced(x):
        x = np.asarray(x)
        out = x
        if drop:
            raw = x.view(whole)
            odd = (raw >> whole(drop)) & whole(1)
            raw = raw + odd + whole((1 << (drop - 1)) - 1)
            raw = raw & ~whole((1 << drop) - 1)
            out = raw.view(dtype)
        if exponent < mine[0]:
            out = np.where(np.abs(out) > most, np.copysign(np.inf, x), out)
            out = np.where(np.abs(out) < tiny, np.copysign(0, x), out)
        return np.where(np.isnan(x), x, out).astype(dtype)[()]

    return reduced
