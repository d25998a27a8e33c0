"""Hyperparameters: what a field of a method declares, and how its value is read.

A field of a method says in its default what it may hold and where it comes from:

    lipschitz: Real = fact("L", instead="proximal_gradient, which searches")
    restart: Flag = flag(True)
    memory: int = count(10, static=True)
    relaxation: Real = real()       # no default: `suggest` of the method decides it

Values are read where they enter, in the constructor: a wrong one is Misuse. A field
that nobody decided is OPEN until the method meets its problem; no run sees OPEN.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from banach.core import compat, validation
from banach.core.annotations import Flag as Flag
from banach.core.annotations import Real as Real
from banach.core.annotations import Whole as Whole
from banach.core.facts import Facts
from banach.core.problem import Misuse

_INT32 = 2**31 - 1


class Open:
    """The value of a field that nobody has decided yet."""

    def __repr__(self):
        return "<decided by the problem>"

    def __eq__(self, other):
        return isinstance(other, Open)

    def __hash__(self):
        return hash(Open)

    def __reduce__(self):
        return "OPEN"

    def __jax_array__(self):
        raise Misuse(
            "a hyperparameter is still open: it is decided where the method meets its "
            "problem. Use bn.solve, or build the method with its suggest(problem, "
            "problem.facts())"
        )

    __array__ = __float__ = __int__ = __index__ = __bool__ = __jax_array__


OPEN = Open()


@dataclasses.dataclass(frozen=True, repr=False)
class FromFact:
    """The declaration of a hyperparameter that is made from a fact."""

    name: str
    of: Callable[[Any], Any] | None
    instead: str
    upper: bool

    def __repr__(self):
        return f"fact({self.name!r})"

    def value(self, facts: Facts) -> Any | None:
        """The hyperparameter, or None where the fact is unknown."""
        known = upper(facts, self.name) if self.upper else usable(facts, self.name)
        return known if known is None or self.of is None else self.of(known)

    def cure(self, method: str, open_: bool = True) -> str:
        """What to do where the fact is unknown; `open_`: the other method applies."""
        other = f", or use {self.instead}" if self.instead and open_ else ""
        return (
            f"{method} needs {self.name}: declare {self.name}=... on the problem{other}"
        )


def fact(
    name: str,
    of: Callable[[Any], Any] | None = None,
    *,
    instead: str = "",
    upper: bool = True,
) -> Any:
    """A positive number made from a fact; without the fact the method refuses.

    Args:
        name: of the constant in the problem's `Facts`, such as "L".
        of: makes the hyperparameter from it; None: it is the fact.
        instead: the method to use where the fact is unknown, and why.
        upper: whether the fact bounds something from above, as L does; then a 0 is
            read as 1, which bounds it too and can be divided by.
    """
    declared = FromFact(name, of, instead, upper)
    return eqx.field(default=declared, metadata={"read": _Real("positive")})


def real(
    default: Any = OPEN,
    *,
    low: str | None = "positive",
    below: float = math.inf,
    most: float = math.inf,
    infinite: bool = False,
    optional: bool = False,
) -> Any:
    """A number: `low` is "positive", "nonnegative" or None; `below` is not reached."""
    read = _Real(low, below, most, infinite, optional)
    return eqx.field(default=default, metadata={"read": read})


def count(
    default: Any = OPEN, *, low: int = 1, static: bool = False, optional: bool = False
) -> Any:
    """An integer >= low; `static` where it fixes a shape or a loop's length."""
    read = _Count(low, static, optional)
    return eqx.field(default=default, static=static, metadata={"read": read})


def flag(default: Any = OPEN, *, static: bool = False) -> Any:
    """True or False; `static` where it chooses what is compiled."""
    return eqx.field(default=default, static=static, metadata={"read": _Flag(static)})


def word(*options: str, default: Any = OPEN) -> Any:
    """One of the words; always static."""

    def read(value: Any, name: str) -> str:
        return validation.choice(value, name, options)

    return eqx.field(default=default, static=True, metadata={"read": read})


def part(*kinds: Any, default: Any = OPEN) -> Any:
    """A component: an instance of one of the classes (or unions of classes)."""
    kinds = tuple(c for k in kinds for c in (get_args(k) or (k,)))

    def read(value: Any, name: str) -> Any:
        if not isinstance(value, kinds):
            classes = " or ".join(k.__name__ for k in kinds)
            raise Misuse(f"{name} must be a {classes}, got {validation.shown(value)}")
        return value

    return eqx.field(default=default, metadata={"read": read})


def function(of: Callable[[Any], Any], *, default: Any = OPEN) -> Any:
    """A function of the caller's, kept as the pytree that `of` makes of it."""

    def read(value: Any, name: str) -> Any:
        if not callable(value):
            raise Misuse(f"{name} must be a function, got {validation.shown(value)}")
        return of(value)

    return eqx.field(default=default, metadata={"read": read})


def matrix(default: Any = OPEN) -> Any:
    """A real square matrix, or None."""

    def read(value: Any, name: str) -> Any:
        if value is None:
            return None
        a = validation.array(value, name, ndim=2)
        if a.shape[0] != a.shape[1]:
            raise Misuse(f"{name} must be square, got shape {tuple(a.shape)}")
        return a

    return eqx.field(default=default, metadata={"read": read})


def read(field: Any, value: Any, owner: str) -> Any:
    """The value of a field as the method may hold it, or Misuse."""
    if isinstance(value, Open) or "read" not in field.metadata:
        return value
    return field.metadata["read"](value, f"{owner}: {field.name}")


def usable(facts: Facts, name: str) -> Any | None:
    """A positive finite fact; None where it is unknown, or no such number."""
    value = facts.get(name)
    if value is None or compat.is_tracer(value):
        return value
    return value if np.isfinite(value) and value > 0 else None


def upper(facts: Facts, name: str) -> Any | None:
    """A fact that bounds from above, as a number that can be divided by.

    Where it is 0 it is read as 1: that bounds 0 too.
    """
    value = facts.get(name)
    if value is None:
        return None
    if compat.is_tracer(value):
        return jnp.where(value == 0, 1, value)
    if value == 0:
        return 1.0
    return usable(facts, name)


@dataclasses.dataclass(frozen=True)
class _Real:
    low: str | None
    below: float = math.inf
    most: float = math.inf
    infinite: bool = False
    optional: bool = False

    def __call__(self, value: Any, name: str) -> Any:
        if value is None and self.optional:
            return None
        a = validation.number(
            value, name, low=self.low, infinite=self.infinite, below=self.below
        )
        if compat.is_tracer(a):
            return a
        if float(a) > self.most:
            raise Misuse(f"{name} must be at most {self.most:g}, got {float(a):g}")
        # A number takes the dtype of the run that it enters; an array keeps its own.
        return (
            a
            if isinstance(a, jax.Array) or isinstance(value, np.ndarray)
            else (float(a))
        )


@dataclasses.dataclass(frozen=True)
class _Count:
    low: int
    static: bool
    optional: bool

    def __call__(self, value: Any, name: str) -> Any:
        if value is None and self.optional:
            return None
        if not self.static and compat.is_tracer(value):
            if value.ndim or value.dtype.kind not in "iu":
                raise Misuse(
                    f"{name} must be one integer, got {validation.shown(value)}"
                )
            return value
        high = None if self.static else _INT32
        n = validation.integer(value, name, low=self.low, high=high)
        array = isinstance(value, jax.Array | np.ndarray)
        return value if array and not self.static else n


@dataclasses.dataclass(frozen=True)
class _Flag:
    static: bool

    def __call__(self, value: Any, name: str) -> Any:
        if isinstance(value, jax.Array) and not self.static:
            if value.ndim or value.dtype != bool:
                raise Misuse(
                    f"{name} must be True or False, got {validation.shown(value)}"
                )
            return value
        if isinstance(value, np.ndarray) and value.dtype == bool and not value.ndim:
            own = not self.static and not validation.masked(value)
            return value if own else validation.flag(value[()], name)
        return validation.flag(value, name)
