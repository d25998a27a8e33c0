"""Rounding rules of elementwise primitives, comparisons and conversions."""

import math

import jax.numpy as jnp
from jax import lax

from banach.checks.rounding.interpreter import (
    LIBM,
    Pair,
    bind,
    error,
    floating,
    indexes,
    is_exact,
    least,
    mask,
    rounded,
    rule,
    unit,
    values,
    winner_unsure,
)


# Propagation |f(a + d) - f(a)| for |d| <= e, from x = a, v = f(a) and e.
def _unless(bad, e, bound):
    return jnp.where(e == 0, 0, jnp.where(bad, jnp.inf, bound)).astype(e.dtype)


def _slope(f):
    """First-order propagation by the slope f(x, v)."""
    return lambda x, v, e: jnp.where(e == 0, 0, (f(x, v) + least(v)) * e)


def _far(f):
    """Propagation by a slope that is largest at the end nearest a singularity."""
    return lambda x, v, e: _unless(False, e, f(jnp.abs(x) + e) * e)


def _grown(p, e):
    """p (exp(e) - 1), where p may have vanished, and e may be large."""
    return (p + least(p)) * jnp.expm1(e)


_PROPAGATION = {
    "neg": lambda x, v, e: e,
    "abs": lambda x, v, e: e,
    "square": lambda x, v, e: (2 * jnp.abs(x) + e) * e,
    "sqrt": lambda x, v, e: _unless(
        False, e, e / (v + jnp.sqrt(jnp.maximum(x - e, 0)))
    ),
    "rsqrt": lambda x, v, e: _unless(
        x <= e, e, e / 2 * (jnp.maximum(x - e, 0) ** -1.5 + least(x))
    ),
    "cbrt": lambda x, v, e: _unless(
        jnp.abs(x) <= e, e, e / (3 * jnp.cbrt(jnp.abs(x) - e) ** 2)
    ),
    "exp": lambda x, v, e: _grown(v, e),
    "exp2": lambda x, v, e: _grown(v, math.log(2) * e),
    "expm1": lambda x, v, e: _grown(jnp.exp(x), e),
    "log": lambda x, v, e: _unless(x <= e, e, e / (x - e)),
    "log1p": lambda x, v, e: _unless(1 + x <= e, e, e / (1 + x - e)),
    "tanh": lambda x, v, e: jnp.minimum((1 - v) * (1 + v) + e, 1) * e,
    "logistic": lambda x, v, e: jnp.minimum(v * (1 - v) + e / 16, 0.25) * e,
    "sin": lambda x, v, e: jnp.minimum(jnp.abs(jnp.cos(x)) + e / 2, 1) * e,
    "cos": lambda x, v, e: jnp.minimum(jnp.abs(jnp.sin(x)) + e / 2, 1) * e,
    "tan": lambda x, v, e: _unless(
        jnp.abs(v) * jnp.tan(e) >= 1,
        e,
        (1 + v * v) * jnp.tan(e) / (1 - jnp.abs(v) * jnp.tan(e)),
    ),
    "atan": lambda x, v, e: e / (1 + jnp.maximum(jnp.abs(x) - e, 0) ** 2),
    "asinh": lambda x, v, e: e / jnp.maximum(jnp.abs(x) - e, 1),
    "asin": _far(lambda t: 1 / jnp.sqrt((1 - t) * (1 + t))),
    "acos": _far(lambda t: 1 / jnp.sqrt((1 - t) * (1 + t))),
    "atanh": _far(lambda t: 1 / ((1 - t) * (1 + t))),
    "acosh": lambda x, v, e: _unless(
        x - e <= 1, e, e / jnp.sqrt(x - e - 1) / jnp.sqrt(x - e + 1)
    ),
    "sinh": _far(jnp.cosh),
    "cosh": _far(jnp.sinh),
    "erf": lambda x, v, e: (2 / math.sqrt(math.pi) * jnp.exp(-x * x) + e / 2) * e,
    "erfc": lambda x, v, e: (2 / math.sqrt(math.pi) * jnp.exp(-x * x) + e / 2) * e,
    "erf_inv": _slope(lambda x, v: math.sqrt(math.pi) / 2 * jnp.exp(v * v)),
}
# One table for all that may run a check: its own error in units of u |f|, LIBM where a
# function is not named, and what grows with the argument beside it. Measured against
# 80-bit and decimal arithmetic over the whole range of each function, on a CPU:
#
#   XLA      at levels 0 and 1: log1p 240 and atanh 146 for |t| < 1/2 in float64, tanh
#            6.9, atan 5.6, expm1 5.4, all that is not named below 4.4. It takes
#            exp2(x) as exp(x log 2): 720 at 1000. sinh and cosh as exp(x - log 2):
#            500 at 700. cbrt, at level 1, as a power: 116 at 1e300. erfc of exp(-x x):
#            397 at 24. erf_inv of log1p(-x x): 9e5 where 1 - x is 7e-9.
#   NumPy    with AVX-512, and with it and AVX2 turned off: float64 cbrt 5.4, else 2.7;
#            float32 asin 5.7, log 4.0, else 3.7. Intel's vector functions, which it
#            uses with AVX-512, promise 8, to which logistic (1 / (1 + exp(-x)), 4.2)
#            adds a sum and a division.
#   Python   math.erf 1.2 and math.erfc 2.2: what NumPy's executor calls. SciPy's erfc,
#            which is wrong by 510 at 24, is not called.
#   SciPy    erfinv 2.6.
_UNITS = {
    "neg": 0,
    "abs": 0,
    "square": 1,
    "sqrt": 1,
    "rsqrt": 4,
    "logistic": LIBM + 4,
    "tanh": 2 * LIBM,
    "erf_inv": 2 * LIBM,
    "erfc": 64,
    "tan": 16,
    "log1p": 512,
    "atanh": 512,
}
# The argument of an exponential is rounded first: as much as it is large.
_GROWING = {
    "exp2": lambda x: 2 * x,
    "sinh": lambda x: x,
    "cosh": lambda x: x,
    "cbrt": lambda x: jnp.where(x > 0, jnp.abs(jnp.log(x)), 0),
    "erfc": lambda x: x * x,
    "erf_inv": lambda x: jnp.where(x < 1, 1 / ((1 - x) * (1 + x)), 0),
}


def own_units(name: str, x):
    """What a function adds at x itself to an error, in units of u |f|."""
    units, growing = _UNITS.get(name, LIBM), _GROWING.get(name)
    return units if growing is None else units + growing(jnp.abs(x))


@rule(*_PROPAGATION)
def _unary(eqn, pairs):
    (p,), name = pairs, eqn.primitive.name
    v = bind(eqn, p.value)
    if not floating(v):
        return [Pair(v, p.error)]
    e = rounded(v, own_units(name, p.value)) if name not in ("neg", "abs") else None
    if name in ("sin", "cos"):
        # Argument reduction leaves an absolute error near the zeros.
        e = e + 2 * unit(v)
    if p.error is not None:
        moved = _PROPAGATION[name](p.value, v, p.error)
        e = moved if e is None else e + moved
    return [Pair(v, e)]


@rule("add", "add_any", "sub", "mul", "div", "rem", "max", "min")
def _binary(eqn, pairs):
    a, b = pairs
    name = eqn.primitive.name
    x, y = jnp.broadcast_arrays(a.value, b.value)
    v = bind(eqn, x, y)
    if not floating(v):
        return [Pair(v, mask(pairs, v.shape))]
    if is_exact(pairs) and name in ("max", "min"):
        return [Pair(v)]
    if eqn.invars[0] is eqn.invars[1] and name == "sub":
        return [Pair(v, jnp.zeros_like(v))]
    e, f = error(a), error(b)
    if name == "mul":
        moved = jnp.abs(x) * f + jnp.abs(y) * e + e * f
    elif name == "div":
        room = jnp.abs(y) - f
        moved = e / room + (jnp.abs(v) + least(v)) * (f / room)
        moved = jnp.where(room > 0, moved, jnp.inf)
        moved = jnp.where((f == 0) & (e == 0), 0, moved)
        # XLA multiplies by 1 / y where one y divides many x, and that may vanish.
        moved = moved + 4 * least(v) * (jnp.abs(x) + e)
    elif name == "rem":
        # x - q y with q = trunc(x / y): the same q, or a jump of up to |y|.
        q = jnp.trunc(jnp.abs(x / y))
        low = jnp.trunc((jnp.abs(x) - e) / (jnp.abs(y) + f))
        high = jnp.trunc((jnp.abs(x) + e) / (jnp.abs(y) - f))
        jump = jnp.where((low == high) & (jnp.abs(y) > f), 0, jnp.abs(y) + f)
        moved = e + (q + 1) * f + jump
    elif name in ("max", "min"):
        return [Pair(v, jnp.maximum(e, f) + jnp.zeros_like(v), ("pair", a, b))]
    else:
        moved = e + f
    own = rounded(v)
    if (is_exact(pairs) or indexes()) and name in ("add", "sub", "mul"):
        # Small whole numbers, as in index arithmetic done in floats, are exact.
        whole = (x == jnp.round(x)) & (y == jnp.round(y)) & (jnp.abs(v) < 1 / unit(v))
        whole = whole if is_exact(pairs) else whole & (e == 0) & (f == 0)
        own = jnp.where(whole, 0, own)
    return [Pair(v, moved + own)]


@rule("integer_pow")
def _integer_pow(eqn, pairs):
    (p,), y = pairs, eqn.params["y"]
    v = bind(eqn, p.value)
    if not floating(v):
        return [Pair(v, p.error)]
    e = rounded(v, 2 * abs(y))
    if p.error is not None and y != 0:
        x = jnp.abs(p.value)
        end = x + p.error if y > 0 else x - p.error
        slope = abs(y) * (lax.integer_pow(end, y - 1) + least(v))
        e = e + _unless((end <= 0) & (y < 0), p.error, slope * p.error)
    return [Pair(v, e)]


@rule("pow")
def _pow(eqn, pairs):
    a, b = pairs
    v = bind(eqn, a.value, b.value)
    e = rounded(v, 2 * LIBM)
    y = b.value.astype(v.dtype)
    if a.error is not None:
        x = a.value
        end = jnp.where(y >= 1, x + a.error, x - a.error)
        slope = jnp.abs(y) * (end ** (y - 1) + least(v))
        e = e + _unless(end <= 0, a.error, slope * a.error)
    if b.error is not None and floating(b.value):
        e = e + _grown(jnp.abs(v), jnp.abs(jnp.log(a.value)) * b.error)
    return [Pair(v, e)]


@rule("sign", "floor", "ceil", "round")
def _steps(eqn, pairs):
    (p,) = pairs
    v = bind(eqn, p.value)
    if p.error is None or not floating(v):
        return [Pair(v, p.error)]
    return [Pair(v, bind(eqn, p.value + p.error) - bind(eqn, p.value - p.error))]


@rule("is_finite")
def _is_finite(eqn, pairs):
    return [Pair(bind(eqn, pairs[0].value))]


@rule("clamp")
def _clamp(eqn, pairs):
    v = bind(eqn, *values(pairs))
    if is_exact(pairs) or not floating(v):
        return [Pair(v, mask(pairs, v.shape))]
    low, x, high = map(error, pairs)
    return [Pair(v, jnp.maximum(jnp.maximum(low, x), high))]


@rule("eq", "ne", "lt", "le", "gt", "ge")
def _compare(eqn, pairs):
    a, b = pairs
    x, y = jnp.broadcast_arrays(a.value, b.value)
    v = bind(eqn, x, y)
    if is_exact(pairs) or eqn.invars[0] is eqn.invars[1]:
        return [Pair(v)]
    if not floating(x):
        return [Pair(v, mask(pairs, v.shape))]
    for one, other in ((a, b), (b, a)):
        if eqn.primitive.name in ("eq", "ne") and other.origin is not None:
            unsure = winner_unsure(one, other.origin)
            if unsure is not None:
                return [Pair(v, jnp.broadcast_to(unsure, v.shape))]
    return [Pair(v, jnp.abs(x - y) <= error(a) + error(b))]


@rule("and", "or", "xor", "not")
def _logic(eqn, pairs):
    v, name = bind(eqn, *values(pairs)), eqn.primitive.name
    if is_exact(pairs):
        return [Pair(v)]
    unsure = mask(pairs, v.shape)
    if v.dtype == bool and name in ("and", "or"):
        # A sure False decides a conjunction, a sure True a disjunction.
        for p in pairs:
            decides = p.value if name == "or" else ~p.value
            unsure = unsure & ~(decides & ~error(p))
    return [Pair(v, unsure)]


@rule("select_n")
def _select_n(eqn, pairs):
    which, cases = pairs[0], pairs[1:]
    v = bind(eqn, *values(pairs))
    if is_exact(pairs):
        return [Pair(v)]
    e = bind(eqn, which.value, *map(error, cases))
    if which.error is None:
        return [Pair(v, e)]
    if floating(v):
        # inf - inf and NaN in a choice not taken say nothing finite.
        others = [
            jnp.where(c.value == v, 0, jnp.abs(c.value - v)) + error(c) for c in cases
        ]
        worst = others[0]
        for other in others[1:]:
            worst = jnp.maximum(worst, other)
    else:
        worst = jnp.zeros(v.shape, bool)
        for c in cases:
            worst = worst | (c.value != v) | error(c)
    return [Pair(v, jnp.where(which.error, worst, e))]


@rule("convert_element_type")
def _convert(eqn, pairs):
    (p,) = pairs
    v = bind(eqn, p.value)
    e = p.error
    if p.known is not None and (p.known.astype(v.dtype) == p.known).all():
        return [Pair(v, known=p.known.astype(v.dtype))]
    if floating(v) and floating(p.value):
        e = None if e is None else e.astype(v.dtype)
        if jnp.finfo(v.dtype).nmant < jnp.finfo(p.value.dtype).nmant:
            e = rounded(v) if e is None else e + rounded(v)
        return [Pair(v, e, p.origin if v.dtype == p.value.dtype else None)]
    if floating(v):
        wrong = 1.0 if p.value.dtype == bool else jnp.inf
        out = None if e is None else jnp.where(e, wrong, 0.0).astype(v.dtype)
        if p.value.dtype != bool and jnp.iinfo(p.value.dtype).bits > (
            digits := jnp.finfo(v.dtype).nmant + 1
        ):
            spill = jnp.where(jnp.abs(v) >= 2.0**digits, rounded(v), 0)
            spill = spill.astype(v.dtype)
            out = spill if out is None else out + spill
        return [Pair(v, out)]
    if floating(p.value) and e is not None:
        ends = [bind(eqn, p.value - e), bind(eqn, p.value + e)]
        e = (ends[0] != ends[1]) | ((p.value - e <= 0) & (p.value + e >= 0) & (e > 0))
    return [Pair(v, e)]
