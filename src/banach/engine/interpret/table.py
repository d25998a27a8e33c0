"""The table of rules: how NumPy does what each primitive says.

A rule is a function of an equation, called once when a jaxpr is translated. It reads
parameters, shapes and dtypes, and gives the function of values that is called at
every run; so nothing is looked up, compared or branched on that was known before.

Values are NumPy arrays of exactly the shape and dtype of their aval, or NumPy scalars
where the shape is (). A scalar is an order of magnitude cheaper than an array of no
dimension, so rules give scalars where they can. No rule writes into an argument, and
a result may be a view of one.

Keys of JAX's threefry generator are arrays of uint32 with one more axis, of size 2.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

Function = Callable[..., Any]


class Rule(NamedTuple):
    """How a primitive is made, and why some equation of it may be refused."""

    make: Callable[[Any], Function]
    unless: Callable[[Any], str | None] | None
    many: bool
    """Whether the function returns a sequence of results."""
    keys: bool
    """Whether it handles arrays of keys."""


RULES: dict[str, Rule] = {}

FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
DTYPES = FLOATS | {np.dtype(f"{sign}int{n}") for sign in ("", "u") for n in (8, 16, 32)}
DTYPES = DTYPES | {np.dtype(bool), np.dtype(np.int64), np.dtype(np.uint64)}


def rule(
    *names: str,
    unless: Callable[[Any], str | None] | None = None,
    many: bool = False,
    keys: bool = False,
) -> Callable[[Callable[[Any], Function]], Callable[[Any], Function]]:
    """Enter a rule for primitives of these names."""

    def enter(make: Callable[[Any], Function]) -> Callable[[Any], Function]:
        for name in names:
            RULES[name] = Rule(make, unless, many, keys)
        return make

    return enter


def plain(name: str, function: Function) -> None:
    """Enter a primitive that is one function, whatever its shapes and dtypes."""
    RULES[name] = Rule(lambda eqn: function, None, False, False)


def is_key(dtype: Any) -> bool:
    """Whether a dtype is one of keys, of any generator."""
    return dtype not in DTYPES and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)


def held(aval: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of the array that holds a value of this aval."""
    if is_key(aval.dtype):
        return (*aval.shape, 2), np.dtype(np.uint32)
    return aval.shape, aval.dtype


def shape_of(eqn: Any, index: int = 0) -> tuple[int, ...]:
    """Shape of an argument."""
    shape: tuple[int, ...] = eqn.invars[index].aval.shape
    return shape


def dtype_of(eqn: Any, index: int = 0) -> np.dtype:
    """Dtype of an argument."""
    return eqn.invars[index].aval.dtype


def result(eqn: Any, index: int = 0) -> Any:
    """The aval of a result."""
    return eqn.outvars[index].aval


def is_scalar(eqn: Any) -> bool:
    """Whether the result has no dimension."""
    return result(eqn).shape == ()


def size(aval: Any) -> int:
    """Number of entries."""
    return math.prod(aval.shape)


def scalar(value: Any) -> Any:
    """An array of one entry as a NumPy scalar."""
    return value[(0,) * value.ndim]
