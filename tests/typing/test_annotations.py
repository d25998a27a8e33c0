"""Every public signature has types, its own or those of what it overrides."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args

import banach as bn
from banach.core.problem import Problem

SELF = ("self", "cls")
# A pytree or a Point, anything that has a name, and what SciPy takes.
ANY = {
    "explain.name",
    "iterate.start",
    "race.start",
    "reproduce.start",
    "solve.start",
} | {f"minimize.{name}" for name in "bounds constraints hess hessp jac".split()}


def public() -> dict[str, Any]:
    """Names of bn, of terms and of parts, and what they stand for."""
    names = {*dir(bn), *bn._WHERE, *dir(bn.terms), *dir(bn.parts)}
    return {name: inspect.unwrap(getattr(bn, name)) for name in sorted(names)}


def functions() -> Iterator[tuple[str, Callable[..., Any], list[Any]]]:
    """(name, function, what it overrides) of each public function and method."""
    for name, thing in public().items():
        if inspect.isfunction(thing):
            yield name, thing, []
        if not inspect.isclass(thing):
            continue
        own = [c for c in thing.__mro__ if c.__module__.startswith("banach.")]
        for key, value in vars(thing).items():
            value = getattr(value, "__func__", getattr(value, "fget", value))
            value = inspect.unwrap(value) if callable(value) else value
            if not inspect.isfunction(value) or (key[0] == "_" and key != "__init__"):
                continue
            if not value.__module__.startswith("banach."):
                continue
            above = [vars(c)[key] for c in own[1:] if key in vars(c)]
            yield f"{name}.{key}", value, above


def untyped(function: Callable[..., Any]) -> list[str]:
    """Parameters without a type, and `return`."""
    told = inspect.signature(function)
    left = [
        p.name
        for p in told.parameters.values()
        if p.annotation is p.empty and p.name not in SELF
    ]
    makes = function.__name__ == "__init__"
    if told.return_annotation is inspect.Signature.empty and not makes:
        left.append("return")
    return left


def test_every_public_signature_is_typed():
    left = [
        f"{name}({', '.join(missing)})"
        for name, function, above in functions()
        if (missing := untyped(function)) and not above
        if not function.__module__.startswith("banach.methods.")
    ]
    assert not left, "; ".join(left)


def test_a_card_leaves_the_class_what_it_was():
    for decorator in (bn.kind, bn.method):
        made = inspect.signature(decorator).return_annotation
        (taken,), given = get_args(made)
        assert taken is given and isinstance(taken, TypeVar)


def test_what_any_is_left_for():
    """Of the arguments of doors and kinds, those that a checker says nothing of."""
    loose = {
        f"{name}.{p.name}"
        for name, thing in public().items()
        if inspect.isfunction(thing)
        or (inspect.isclass(thing) and issubclass(thing, Problem))
        if not getattr(thing, "__module__", "").startswith("banach.methods.")
        for p in inspect.signature(thing).parameters.values()
        if p.annotation is Any and p.kind is not p.VAR_KEYWORD
    }
    assert loose == ANY
