"""Whether NumPy may run a jaxpr, decided before anything runs; and what it costs."""

from collections.abc import Callable
from typing import Any

from banach.core.compat import ClosedJaxpr, Jaxpr, Literal, subjaxprs
from banach.engine.interpret.table import DTYPES, RULES, is_key
from banach.engine.interpret.translate import (
    CONTROL,
    INLINED,
    SAME,
    inlined,
    on_cpu,
    price,
)

TRIPS = 1000
"""A loop of known length that goes round more often is compiled at once."""

NAMES = frozenset({*RULES, *CONTROL, *INLINED, *SAME})
"""All primitives that can be interpreted."""

_KEYED = frozenset({*CONTROL, *INLINED, *SAME, *(n for n in RULES if RULES[n].keys)})


def refusal(closed: ClosedJaxpr) -> str | None:
    """Why a jaxpr cannot be interpreted, or None where it can.

    Every equation at every depth is held against a list of what is known: its
    primitive, the dtypes of its arguments and results, its parameters. A branch that
    might not be taken counts too, unless it is for other platforms than a CPU.
    Nothing is refused once a program runs.
    """
    if closed.effects:
        return "it has effects: " + ", ".join(sorted(map(str, closed.effects)))
    for v in closed.jaxpr.invars:
        reason = _dtype(v.aval)
        if reason is not None:
            return reason
    return _refused(closed.jaxpr, set())


def _refused(jaxpr: Jaxpr, seen: set[int]) -> str | None:
    if id(jaxpr) in seen:
        return None
    seen.add(id(jaxpr))
    for v in jaxpr.constvars:
        reason = _dtype(v.aval)
        if reason is not None:
            return reason
    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        if name not in NAMES:
            return f"no rule for the primitive {name}"
        body = inlined(eqn)
        if body is not None:
            reason = _refused(body[0], seen)
        else:
            reason = _special(eqn, name) or _avals(eqn, name)
            if reason is not None and name not in reason:
                reason = f"{name}: {reason}"
            if reason is None and name in CONTROL:
                found = (_refused(j, seen) for j in _taken(eqn))
                reason = next((r for r in found if r is not None), None)
        if reason is not None:
            return reason
    return None


def _taken(eqn: Any) -> Any:
    """The jaxprs inside an equation that a CPU may run."""
    platforms = eqn.params.get("branches_platforms")
    inner = list(subjaxprs(eqn))
    return inner if platforms is None else inner[on_cpu(platforms) :][:1]


def _avals(eqn: Any, name: str) -> str | None:
    for v in (*eqn.invars, *eqn.outvars):
        dtype = v.aval.dtype
        if dtype in DTYPES:
            continue
        reason = _dtype(v.aval)
        if reason is not None:
            return reason
        if name not in _KEYED or type(v) is Literal:
            return f"{name} of keys"
    return None


def _dtype(aval: Any) -> str | None:
    dtype = getattr(aval, "dtype", None)
    if dtype is None:
        return f"a value that is no array: {aval}"
    if dtype in DTYPES or (is_key(dtype) and str(dtype) == "key<fry>"):
        return None
    return f"values of dtype {dtype}"


def _special(eqn: Any, name: str) -> str | None:
    """What is refused of a primitive that has a rule."""
    if name == "scan" and eqn.params["length"] > TRIPS:
        return f"a scan of {eqn.params['length']} steps, more than {TRIPS}"
    if name == "device_put" and any(d is not None for d in eqn.params["devices"]):
        return "device_put on a device"
    if name in RULES and RULES[name].unless is not None:
        return RULES[name].unless(eqn)  # type: ignore[misc]
    return None


def work(closed: ClosedJaxpr, priced: Callable[[Any], float] = price) -> float:
    """Units of work of one run: the sum over equations of max(1, entries / 2000).

    The entries are those of its largest argument or result. A loop of known length
    is multiplied by it, of another one round is counted, and of branches the longest.
    `priced` counts an equation otherwise.
    """
    return _work(closed.jaxpr, priced)


def _work(jaxpr: Jaxpr, priced: Callable[[Any], float]) -> float:
    total = 0.0
    for eqn in jaxpr.eqns:
        name = eqn.primitive.name
        body = inlined(eqn)
        if body is not None:
            total += _work(body[0], priced)
        elif name in CONTROL:
            inner = [_work(j, priced) for j in _taken(eqn)]
            if name == "cond":
                total += 1 + max(inner)
            else:
                total += 1 + sum(inner) * eqn.params.get("length", 1)
        elif name not in SAME:
            total += priced(eqn)
    return total
