"""Interpreter of jaxprs over intervals, in NumPy on the host.

Values are `Interval` (real numbers), `Trool` (booleans of which some may be
undecided) or plain NumPy arrays (integers and decided booleans, exact). Only the
equations that the results need are evaluated. The enclosed quantity is the jaxpr
read over the real numbers, with its floating literals taken exactly.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from banach.checks.interval import arb, libm
from banach.checks.interval.arithmetic import Interval, Trool, point

Value = Interval | Trool | np.ndarray


class NoEnclosure(Exception):
    """No rigorous enclosure can be given; the message names the cause and a cure.

    `by_value` tells a domain error (a smaller box may cure it) from an operation
    that has no rule at all.
    """

    def __init__(self, message: str, *, by_value: bool = False):
        super().__init__(f"no enclosure: {message}")
        self.by_value = by_value


CURES = {
    "div": "the divisor may be zero: shrink the box or bound the divisor away from 0",
    "log": "the argument may not be positive: shrink the box",
    "log1p": "the argument may not exceed -1: shrink the box",
    "sqrt": "the argument may be negative: use |x| or add a positive constant",
    "rsqrt": "the argument may not be positive: shrink the box",
    "tan": "a pole may lie in the box: shrink it",
    "select_n": "the choice jumps inside the box: write a kink with jnp.maximum, "
    "jnp.minimum or jnp.abs, or start from another point",
    "sign": "the sign changes inside the box: start from another point",
}


class Context:
    """What one evaluation carries: accuracy, strictness, the first failure."""

    def __init__(self, rigor: str = "libm", strict: bool = False, shift: bool = False):
        if rigor not in ("libm", "arb"):
            raise ValueError(f'rigor is "libm" or "arb", not {rigor!r}')
        if rigor == "arb":
            arb.require()
        self.points: libm.Points = arb.points if rigor == "arb" else libm.libm_points
        # strict: a choice that is undecided makes the result unknown, which proves
        # that the function is continuous on the box.
        self.strict = strict
        # shift: a stop_gradient is known not to change the result (see
        # derivative_rewriting.py), so any constant may stand for it.
        self.shift = shift
        self.reason = ""

    def note(self, name: str, inputs: list[Value], outputs: list[Value]) -> None:
        """Remember the first operation that turned known entries into unknown."""
        if self.reason or not any(_unknown(v) for v in outputs):
            return
        if not any(_unknown(v) for v in inputs):
            cure = CURES.get(name, "the value may overflow or leave the domain")
            self.reason = f"primitive {name}: {cure}"


Rule = Callable[[Context, Any, list[Value]], list[Value]]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of one or more primitives."""

    def register(f):
        RULES.update(dict.fromkeys(names, f))
        return f

    return register


def eval_jaxpr_interval(
    closed: ClosedJaxpr,
    *args: Any,
    rigor: str = "libm",
    strict: bool = False,
    shift: bool = False,
) -> list[Value]:
    """Enclose every result of a closed jaxpr over boxes of arguments.

    Arguments are intervals or arrays (points). Raises `NoEnclosure` for a primitive
    without a rule, and where a floating result is unknown.
    """
    context = Context(rigor, strict, shift)
    with np.errstate(all="ignore"):
        outputs = evaluate(
            context, closed.jaxpr, closed.consts, [exact(a) for a in args]
        )
    if any(_unknown(v) for v in outputs):
        raise NoEnclosure(context.reason or "an argument is NaN", by_value=True)
    return outputs


def evaluate(
    context: Context,
    jaxpr: Any,
    consts: Any,
    args: list[Value],
    needed: list[bool] | None = None,
) -> list[Value]:
    """Evaluate the equations that the needed results depend on."""
    env: dict[Any, Value] = dict(
        zip(jaxpr.constvars, [exact(c) for c in consts], strict=True)
    )
    env.update(zip(jaxpr.invars, args, strict=True))

    def read(atom):
        return exact(atom.val) if isinstance(atom, Literal) else env.get(atom)

    wanted = [True] * len(jaxpr.outvars) if needed is None else needed
    for eqn, used in live(jaxpr, wanted):
        inputs = [read(a) for a in eqn.invars]
        name = eqn.primitive.name
        body = inner(eqn)
        if body is not None:
            outputs = evaluate(context, *body, inputs, used)
        elif name in RULES:
            outputs = RULES[name](context, eqn, inputs)
            # NumPy returns scalars for results of shape ().
            outputs = [np.asarray(v) if np.isscalar(v) else v for v in outputs]
        else:
            raise NoEnclosure(
                f"primitive {name} has no interval rule; rewrite the function with "
                "elementwise operations, sums, products and fixed-length loops, or "
                "use a residual check"
            )
        context.note(name, inputs, outputs)
        env.update(zip(eqn.outvars, outputs, strict=True))
    return [read(v) if w else None for v, w in zip(jaxpr.outvars, wanted, strict=True)]


def live(jaxpr: Any, wanted: list[bool]) -> list[tuple[Any, list[bool]]]:
    """List the equations needed for the wanted results, with their used outputs."""
    alive = _variables(jaxpr.outvars, wanted)
    kept = []
    for eqn in reversed(jaxpr.eqns):
        used = [v in alive for v in eqn.outvars]
        if not any(used):
            continue
        kept.append((eqn, used))
        body = inner(eqn)
        atoms = eqn.invars
        if body is not None:
            # Inside a call, an operand of a dead result is dead too.
            needed = reached(body[0], used)
            atoms = [a for a, r in zip(eqn.invars, needed, strict=True) if r]
        alive |= _variables(atoms)
    return kept[::-1]


def _variables(atoms, wanted=None):
    wanted = [True] * len(atoms) if wanted is None else wanted
    pairs = zip(atoms, wanted, strict=True)
    return {a for a, w in pairs if w and not isinstance(a, Literal)}


def reached(jaxpr: Any, used: list[bool]) -> list[bool]:
    """Tell which arguments the used results of a jaxpr depend on."""
    seen = _variables(jaxpr.outvars, used)
    for eqn, _ in live(jaxpr, used):
        seen |= _variables(eqn.invars)
    return [v in seen for v in jaxpr.invars]


_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}


def inner(eqn: Any) -> tuple[Any, Any] | None:
    """Return the jaxpr and constants of a call equation, None for any other."""
    key = _CALLS.get(eqn.primitive.name)
    if key is None:
        return None
    body = eqn.params[key]
    if isinstance(body, ClosedJaxpr):
        return body.jaxpr, body.consts
    return body, ()


def exact(v: Any) -> Value:
    """Turn an array into a value: floats become points, the rest stays exact."""
    if isinstance(v, (Interval, Trool)):
        return v
    a = np.asarray(v)
    if a.dtype.kind in "biu":
        return a
    if a.dtype.kind == "c":
        raise NoEnclosure("complex numbers have no interval rule; split the parts")
    if a.dtype.kind not in "fV":
        raise NoEnclosure(f"values of dtype {a.dtype} have no interval rule")
    return point(a.astype(np.float64))


def all_exact(values: Sequence[Value]) -> bool:
    """Whether all values are plain arrays, which hold no interval."""
    return all(isinstance(v, np.ndarray) for v in values)


def decided(v: Value) -> Value:
    """Turn a fully decided Trool into an exact boolean array."""
    return v.lo if isinstance(v, Trool) and not v.unsure.any() else v


def interval(v: Value) -> Interval:
    """Return the value as an interval (integers beyond 2^53 are enclosed)."""
    if isinstance(v, Interval):
        return v
    if isinstance(v, Trool):
        return Interval(v.lo.astype(float), v.hi.astype(float))
    f = np.asarray(v).astype(np.float64)
    if v.dtype.kind in "iu" and f.size and np.max(np.abs(f)) > 2.0**53:
        return Interval(np.nextafter(f, -np.inf), np.nextafter(f, np.inf))
    return point(f)


def trool(v: Value) -> Trool:
    """Return a boolean value as a Trool."""
    if isinstance(v, Interval):
        raise NoEnclosure("a real number is used as a boolean")
    return v if isinstance(v, Trool) else Trool(v, v)


def integers(v: Value, what: str) -> np.ndarray:
    """Return an exact integer or boolean array, or raise NoEnclosure."""
    v = decided(v)
    if isinstance(v, np.ndarray):
        return v
    raise NoEnclosure(
        f"{what} must be known exactly but depends on the box; use fixed indices "
        "and predicates, or a smaller box",
        by_value=True,
    )


def move(f: Callable[[np.ndarray], np.ndarray], v: Value) -> Value:
    """Apply an exact rearrangement to a value of any kind."""
    return f(v) if isinstance(v, np.ndarray) else v.map(f)


def _unknown(v: Value | None) -> bool:
    return isinstance(v, Interval) and bool(v.unknown.any())
