"""What a plan asks of a problem: plain calls, and each answered once.

A method of a module that is fetched from an instance is a module of its own, 16 us to
make, so that it can be handed to a transformation as a pytree. What is asked on the
host alone (oracles, facts, sizes) is asked sixty times before a small run begins, and
never handed on: a `Question` is fetched as a call.
"""

import contextlib
import contextvars
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from banach.core import compat

ASKED = frozenset(
    "oracles essential space size facts default_check prices pass_bytes layout view "
    "start unsolvable no_gap".split()
)
"""Questions, by name; of these one answer is enough while a problem stays as it is:"""
ONCE = frozenset(
    "oracles essential space size facts default_check prices layout no_gap".split()
)


class Question:
    """A method that is fetched from an instance as a call, not as a pytree."""

    def __init__(self, function: Callable[..., Any], once: bool):
        self.__doc__ = function.__doc__
        self.function, self.once = function, once
        self.__isabstractmethod__ = getattr(function, "__isabstractmethod__", False)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The function itself from a class."""
        if instance is None:
            return self.function
        if self.once:
            known = _KNOWN.get()
            if known is not None and known.of is instance:
                return functools.partial(known.answer, self.function)
        return functools.partial(self.function, instance)


class _Known:
    """The answers of one object; of some of its arrays, what stands for their bits."""

    def __init__(self, of: Any, lasting: Mapping[int, Any]):
        self.of, self.lasting = of, lasting
        self._answers: dict[Any, Any] = {}

    def answer(self, function: Any) -> Any:
        """By function: one that calls the one it overrides asks another question."""
        if compat.tracing():  # its numbers would belong to the trace
            return function(self.of)
        if function not in self._answers:
            self._answers[function] = function(self.of)
        return self._answers[function]


_KNOWN: contextvars.ContextVar[_Known | None] = contextvars.ContextVar(
    "known", default=None
)


@contextlib.contextmanager
def once(problem: Any, lasting: Mapping[int, Any] | None = None) -> Iterator[None]:
    """Inside, what this very object is asked again has the answer it had.

    Its data must stay as they are meanwhile. `lasting` gives, by the id of an array of
    the problem's, an object that never changes and has the same bits.
    """
    token = _KNOWN.set(_Known(problem, lasting or {}))
    try:
        yield
    finally:
        _KNOWN.reset(token)


def _same(bits: Any, ref: Any) -> bool:
    """Whether the array lives that was there; none is no array that has died."""
    return ref is None if bits is None else ref is not None and ref() is bits


_OF_ARRAYS: list[tuple[Any, list[Any], Any]] = []
_MOST = 8


def of_arrays(name: Any, arrays: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
    """`compute()`, a number that these arrays and the name decide alone.

    Worked out once while the arrays that stand for these live; always where none does.
    """
    known = _KNOWN.get()
    given = {} if known is None else known.lasting
    bits = [None if v is None else given.get(id(v)) for v in arrays]
    if any(b is None and v is not None for b, v in zip(bits, arrays, strict=True)):
        return compute()
    for past, refs, value in _OF_ARRAYS:
        if past == name and all(map(_same, bits, refs)):
            return value
    value = compute()
    refs = [None if b is None else weakref.ref(b) for b in bits]
    _OF_ARRAYS[:] = [(name, refs, value), *_OF_ARRAYS[: _MOST - 1]]
    return value
