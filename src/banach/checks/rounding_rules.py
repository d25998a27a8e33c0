"""Rounding rules of elementary, reducing and contracting primitives.

A `Pair` is a traced array and a bound on its error: for floats an array of the same
dtype, for integers and booleans a mask of the entries that may be wrong; None says
that the value is exact. See `rounding.py` for the rules in formulas.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

from banach.checks.interval.evaluate import inner, live

LIBM = 8
"""Error of an elementary function in units of u |f|: 4 ulp are at most 8 u."""


class Pair:
    """A value, its error, and the maximum it came from (for comparisons with it)."""

    __slots__ = ("error", "origin", "value")

    def __init__(self, value: Any, error: Any = None, origin: Any = None):
        self.value, self.error, self.origin = value, error, origin


Rule = Callable[[Any, list[Pair]], list[Pair]]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of one or more primitives."""

    def register(f):
        RULES.update(dict.fromkeys(names, f))
        return f

    return register


def floating(v: Any) -> bool:
    """Whether an array has a real floating dtype."""
    return jnp.issubdtype(v.dtype, jnp.floating)


def unit(v: Any) -> float:
    """Unit roundoff u of the dtype of v."""
    return float(jnp.finfo(v.dtype).eps) / 2


def gam(k: int, v: Any) -> float:
    """Higham's gam(k) in the dtype of v; infinite when k u >= 1."""
    ku = k * unit(v)
    return ku / (1 - ku) if ku < 1 else math.inf


def rounded(v: Any, k: float = 1) -> Any:
    """Error of one operation: k u |v|, and the smallest normal number (flushing)."""
    return (k * unit(v)) * jnp.abs(v) + float(jnp.finfo(v.dtype).tiny)


def solid(p: Pair) -> Pair:
    """Write out the error of an exact pair as zeros."""
    if p.error is not None:
        return p
    if floating(p.value):
        return Pair(p.value, jnp.zeros_like(p.value))
    return Pair(p.value, jnp.zeros(p.value.shape, bool))


def error(p: Pair) -> Any:
    """Return the error array, zeros when exact."""
    return solid(p).error


def evaluate(closed: ClosedJaxpr, pairs: list[Pair]) -> list[Pair]:
    """Interpret a closed jaxpr over pairs."""
    return _evaluate(closed.jaxpr, closed.consts, pairs)


def _evaluate(jaxpr, consts, pairs):
    env = dict(zip(jaxpr.invars, pairs, strict=True))
    env |= {
        v: Pair(jnp.asarray(c)) for v, c in zip(jaxpr.constvars, consts, strict=True)
    }

    def read(atom):
        if isinstance(atom, Literal):
            return Pair(jnp.asarray(atom.val, atom.aval.dtype))
        return env.get(atom)

    for eqn, _ in live(jaxpr, [True] * len(jaxpr.outvars)):
        inputs = [read(a) for a in eqn.invars]
        name, body = eqn.primitive.name, inner(eqn)
        if body is not None:
            # An operand that only dead results need was never computed.
            filled = [
                Pair(jnp.zeros(a.aval.shape, a.aval.dtype)) if p is None else p
                for p, a in zip(inputs, eqn.invars, strict=True)
            ]
            outputs = _evaluate(*body, filled)
        elif name in RULES:
            outputs = RULES[name](eqn, inputs)
        else:
            raise NotImplementedError(
                f"primitive {name} has no rounding rule; estimate the error with "
                "banach.checks.rounding.perturbed"
            )
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [read(v) for v in jaxpr.outvars]


def supported(jaxpr: Any) -> bool:
    """Whether every needed equation of a jaxpr has a rule, bodies included."""
    for eqn, _ in live(jaxpr, [True] * len(jaxpr.outvars)):
        body = inner(eqn)
        if body is not None:
            bodies = [body[0]]
        elif eqn.primitive.name in RULES:
            p = eqn.params
            parts = [p.get("cond_jaxpr"), p.get("body_jaxpr"), *p.get("branches", ())]
            parts += [p["jaxpr"]] if eqn.primitive.name == "scan" else []
            bodies = [b.jaxpr for b in parts if b is not None]
        else:
            return False
        if not all(map(supported, bodies)):
            return False
    return True


def bind(eqn: Any, *values: Any, **changed: Any) -> Any:
    """Apply the primitive of an equation to other operands."""
    return eqn.primitive.bind(*values, **(dict(eqn.params) | changed))


def values(pairs: list[Pair]) -> list[Any]:
    """Return the values of pairs."""
    return [p.value for p in pairs]


def is_exact(pairs: list[Pair]) -> bool:
    """Whether no pair carries an error."""
    return all(p.error is None for p in pairs)


def mask(pairs: list[Pair], shape: tuple[int, ...]) -> Any:
    """Entries that any of the broadcast operands may get wrong; None if exact."""
    unsure = [p.error for p in pairs if p.error is not None]
    unsure = [e > 0 if floating(e) else e for e in unsure]
    if not unsure:
        return None
    out = jnp.zeros(shape, bool)
    for e in unsure:
        out = out | e
    return out


# Propagation |f(a + d) - f(a)| for |d| <= e, from x = a, v = f(a) and e.
def _unless(bad, e, bound):
    return jnp.where(e == 0, 0, jnp.where(bad, jnp.inf, bound)).astype(e.dtype)


def _slope(f):
    """First-order propagation by the slope f(x, v)."""
    return lambda x, v, e: jnp.where(e == 0, 0, f(x, v) * e)


def _far(f):
    """Propagation by a slope that is largest at the end nearest a singularity."""
    return lambda x, v, e: _unless(False, e, f(jnp.abs(x) + e) * e)


_PROPAGATION = {
    "neg": lambda x, v, e: e,
    "abs": lambda x, v, e: e,
    "square": lambda x, v, e: (2 * jnp.abs(x) + e) * e,
    "sqrt": lambda x, v, e: _unless(
        False, e, e / (v + jnp.sqrt(jnp.maximum(x - e, 0)))
    ),
    "rsqrt": lambda x, v, e: _unless(x <= e, e, e / 2 * (x - e) ** -1.5),
    "cbrt": lambda x, v, e: _unless(
        jnp.abs(x) <= e, e, e / (3 * jnp.cbrt(jnp.abs(x) - e) ** 2)
    ),
    "exp": lambda x, v, e: v * jnp.expm1(e),
    "exp2": lambda x, v, e: v * jnp.expm1(math.log(2) * e),
    "expm1": lambda x, v, e: (v + 1) * jnp.expm1(e),
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
    "asinh": lambda x, v, e: e / jnp.sqrt(1 + jnp.maximum(jnp.abs(x) - e, 0) ** 2),
    "asin": _far(lambda t: 1 / jnp.sqrt((1 - t) * (1 + t))),
    "acos": _far(lambda t: 1 / jnp.sqrt((1 - t) * (1 + t))),
    "atanh": _far(lambda t: 1 / ((1 - t) * (1 + t))),
    "acosh": lambda x, v, e: _unless(
        x - e <= 1, e, e / jnp.sqrt((x - e - 1) * (x - e + 1))
    ),
    "sinh": _far(jnp.cosh),
    "cosh": _far(jnp.sinh),
    "erf": lambda x, v, e: (2 / math.sqrt(math.pi) * jnp.exp(-x * x) + e / 2) * e,
    "erfc": lambda x, v, e: (2 / math.sqrt(math.pi) * jnp.exp(-x * x) + e / 2) * e,
    "erf_inv": _slope(lambda x, v: math.sqrt(math.pi) / 2 * jnp.exp(v * v)),
}
_UNITS = {"neg": 0, "abs": 0, "square": 1, "sqrt": 1, "rsqrt": 4, "erfc": 16, "tan": 16}


@rule(*_PROPAGATION)
def _unary(eqn, pairs):
    (p,), name = pairs, eqn.primitive.name
    v = bind(eqn, p.value)
    if not floating(v):
        return [Pair(v, p.error)]
    e = rounded(v, _UNITS.get(name, LIBM)) if name not in ("neg", "abs") else None
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
        moved = jnp.where(room > 0, (e + jnp.abs(v) * f) / room, jnp.inf)
        moved = jnp.where((f == 0) & (e == 0), 0, moved)
    elif name == "rem":
        whole = jnp.trunc((x - e) / y) == jnp.trunc((x + e) / y)
        moved = jnp.where(whole & (f == 0), e, jnp.where(e + f > 0, jnp.inf, 0))
    elif name in ("max", "min"):
        return [Pair(v, jnp.maximum(e, f) + jnp.zeros_like(v), ("pair", a, b))]
    else:
        moved = e + f
    return [Pair(v, moved + rounded(v))]


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
        slope = abs(y) * lax.integer_pow(end, y - 1)
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
        e = e + _unless(end <= 0, a.error, jnp.abs(y) * end ** (y - 1) * a.error)
    if b.error is not None and floating(b.value):
        e = e + jnp.abs(v) * jnp.expm1(jnp.abs(jnp.log(a.value)) * b.error)
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
            unsure = _winner_unsure(one, other.origin)
            if unsure is not None:
                return [Pair(v, jnp.broadcast_to(unsure, v.shape))]
    return [Pair(v, jnp.abs(x - y) <= error(a) + error(b))]


def _winner_unsure(p, origin):
    """Where it is open whether p attains the extremum that it took part in."""
    kind, *members = origin
    if not any(m is p for m in members if isinstance(m, Pair)):
        return None
    if kind == "pair":
        a, b = members
        return jnp.abs(a.value - b.value) <= error(a) + error(b)
    axes, sign = members[1:]
    x, e = sign * p.value, jnp.max(error(p), axis=axes, keepdims=True)
    near = jnp.max(x, axis=axes, keepdims=True) - x <= 2 * e
    return near & (jnp.sum(near, axis=axes, keepdims=True) > 1)


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


@rule("reduce_sum", "reduce_max", "reduce_min", "reduce_prod")
def _reduce(eqn, pairs):
    (p,), name = pairs, eqn.primitive.name
    axes = tuple(int(i) for i in eqn.params["axes"])
    v = bind(eqn, p.value)
    if not floating(v):
        return [Pair(v, None if p.error is None else jnp.any(p.error, axis=axes))]
    m = math.prod(p.value.shape[i] for i in axes)
    if name in ("reduce_max", "reduce_min"):
        if p.error is None:
            return [Pair(v)]
        sign = 1 if name == "reduce_max" else -1
        return [Pair(v, jnp.max(p.error, axis=axes), ("all", p, axes, sign))]
    size = jnp.abs(p.value)
    if name == "reduce_sum":
        e = gam(m, v) * jnp.sum(size, axis=axes)
        if p.error is not None:
            e = e + jnp.sum(p.error, axis=axes)
        return [Pair(v, e)]
    high = jnp.prod(size + error(p), axis=axes)
    e = high - jnp.prod(size, axis=axes) + rounded(high, 3 * m)
    return [Pair(v, e)]


@rule("reduce_and", "reduce_or")
def _reduce_logic(eqn, pairs):
    (p,) = pairs
    v = bind(eqn, p.value)
    if p.error is None:
        return [Pair(v)]
    axes = tuple(int(i) for i in eqn.params["axes"])
    decides = p.value if eqn.primitive.name == "reduce_or" else ~p.value
    sure = jnp.any(decides & ~p.error, axis=axes)
    return [Pair(v, jnp.any(p.error, axis=axes) & ~sure)]


@rule("argmax", "argmin")
def _argmax(eqn, pairs):
    (p,), (axis,) = pairs, eqn.params["axes"]
    v = bind(eqn, p.value)
    if p.error is None:
        return [Pair(v)]
    if not floating(p.value):
        return [Pair(v, jnp.any(p.error, axis=axis))]
    sign = 1 if eqn.primitive.name == "argmax" else -1
    near = _winner_unsure(p, ("all", p, (axis,), sign))
    return [Pair(v, jnp.any(near, axis=axis))]


@rule("cumsum", "cumprod", "cummax", "cummin")
def _cumulative(eqn, pairs):
    (p,), name = pairs, eqn.primitive.name
    axis, reverse = eqn.params["axis"], eqn.params["reverse"]
    v = bind(eqn, p.value)
    if not floating(v):
        if p.error is None:
            return [Pair(v)]
        seen = lax.cummax(p.error.astype(v.dtype), axis=axis, reverse=reverse)
        return [Pair(v, seen > 0)]
    n, size, e = v.shape[axis], jnp.abs(p.value), error(p)
    if name in ("cummax", "cummin"):
        seen = None if p.error is None else lax.cummax(e, axis=axis, reverse=reverse)
        return [Pair(v, seen)]
    if name == "cumsum":
        return [Pair(v, bind(eqn, e) + gam(n, v) * bind(eqn, size))]
    high = bind(eqn, size + e)
    return [Pair(v, high - bind(eqn, size) + rounded(high, 3 * n))]


@rule("dot_general", "conv_general_dilated")
def _bilinear(eqn, pairs):
    a, b = pairs

    def product(x, y):
        # Reduced-precision products (TF32, bfloat16) void the model.
        return bind(eqn, x, y, precision=(lax.Precision.HIGHEST,) * 2)

    v = product(a.value, b.value)
    if not floating(v):
        wrong = None if is_exact(pairs) else jnp.full(v.shape, _any(pairs))
        return [Pair(v, wrong)]
    if eqn.primitive.name == "dot_general":
        (axes, _), _ = eqn.params["dimension_numbers"]
        terms = math.prod(a.value.shape[i] for i in axes)
    else:
        out = eqn.params["dimension_numbers"].rhs_spec[0]
        terms = math.prod(b.value.shape) // max(b.value.shape[out], 1)
    x, y = jnp.abs(a.value), jnp.abs(b.value)
    tiny = (terms + 1) * float(jnp.finfo(v.dtype).tiny)
    e = gam(terms + 1, v) * product(x, y) + tiny
    if a.error is not None:
        e = e + product(a.error, y if b.error is None else y + b.error)
    if b.error is not None:
        e = e + product(x, b.error)
    return [Pair(v, e)]


def _any(pairs):
    flags = [jnp.any(p.error > 0) for p in pairs if p.error is not None]
    return jnp.any(jnp.stack(flags))


@rule("sort")
def _sort(eqn, pairs):
    axis, keys = eqn.params["dimension"], eqn.params["num_keys"]
    n = len(pairs)
    if is_exact(pairs):
        return [Pair(v) for v in bind(eqn, *values(pairs))]
    full = [solid(p) for p in pairs]
    out = bind(eqn, *values(full), *[p.error for p in full])
    moved, e = out[:n], list(out[n:])
    if n == 1 and floating(moved[0]):
        # Sorting moves no order statistic by more than the largest error.
        return [
            Pair(
                moved[0],
                jnp.broadcast_to(jnp.max(e[0], axis, keepdims=True), e[0].shape),
            )
        ]
    mixed = jnp.zeros(moved[0].shape, bool)
    for v, err in itertools.islice(zip(moved, e, strict=True), keys):
        width = err if floating(v) else jnp.where(err, jnp.inf, 0.0)
        shifted = [lax.slice_in_dim(t, 1, None, axis=axis) for t in (v, width)]
        first = [lax.slice_in_dim(t, 0, -1, axis=axis) for t in (v, width)]
        spread = first[1] + shifted[1]
        close = (spread > 0) & ~(jnp.abs(shifted[0] - first[0]) > spread)
        room = [(0, 0)] * close.ndim
        before, after = list(room), list(room)
        before[axis], after[axis] = (0, 1), (1, 0)
        mixed = mixed | jnp.pad(close, before) | jnp.pad(close, after)
    return [
        Pair(v, jnp.where(mixed, jnp.inf, err) if floating(v) else mixed | err)
        for v, err in zip(moved, e, strict=True)
    ]
