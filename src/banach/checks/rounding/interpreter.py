"""Pairs of a value and its error, and the interpreter of jaxprs over them.

A `Pair` is a traced array and a bound on its error: for floats an array of the same
dtype, for integers and booleans a mask of the entries that may be wrong; None says
that the value is exact. See `bound.py` for the rules in formulas.
"""

import contextvars
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from banach.checks.interval.evaluate import inner, live
from banach.core import rounding as constants

LIBM = 8
"""Error of an elementary function in units of u |f|: 4 ulp are at most 8 u."""


class Pair:
    """A value and its error.

    `origin` is the maximum the value came from, for comparisons with it; `known` is
    the number itself when it is a literal of the program.
    """

    __slots__ = ("error", "known", "origin", "value")

    def __init__(
        self, value: Any, error: Any = None, origin: Any = None, known: Any = None
    ):
        self.value, self.error, self.origin = value, error, origin
        self.known = known


_INDEXES: contextvars.ContextVar[bool] = contextvars.ContextVar("indexes")

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
    return constants.unit(v.dtype)


def gam(k: int, v: Any) -> float:
    """k u / (1 - k u) in the dtype of v."""
    return constants.gam(k, v.dtype)


def least(v: Any) -> float:
    """The smallest normal number of the dtype of v."""
    return constants.least(v.dtype)


def rounded(v: Any, k: float = 1) -> Any:
    """Error of one operation: k u |v|, and what vanishes below the normal numbers.

    That is the result itself, and up to seven products in the bound of what its
    operands' errors move.
    """
    return (k * unit(v)) * jnp.abs(v) + 8 * least(v)


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
    before = _INDEXES.set(_truncates(closed.jaxpr))
    try:
        return _evaluate(closed.jaxpr, closed.consts, pairs)
    finally:
        _INDEXES.reset(before)


def indexes() -> bool:
    """Whether the program makes whole numbers out of floats, for which it is worth
    knowing which of its sums and products are exact."""
    return _INDEXES.get(False)


def _truncates(jaxpr: Any) -> bool:
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "convert_element_type":
            whole = jnp.issubdtype(eqn.params["new_dtype"], jnp.integer)
            if whole and floating(eqn.invars[0].aval):
                return True
        body = inner(eqn)
        if body is not None and _truncates(body[0]):
            return True
    return False


def _evaluate(jaxpr, consts, pairs):
    env = dict(zip(jaxpr.invars, pairs, strict=True))
    env |= {
        v: Pair(jnp.asarray(c)) for v, c in zip(jaxpr.constvars, consts, strict=True)
    }

    def read(atom):
        if isinstance(atom, Literal):
            known = np.asarray(atom.val, atom.aval.dtype)
            v = jnp.asarray(known)
            if floating(known) and np.any((abs(known) < least(v)) & (known != 0)):
                return Pair(v, jnp.full_like(v, least(v)))
            return Pair(v, known=known)
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


def winner_unsure(p, origin):
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
