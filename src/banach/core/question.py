"""What a plan asks of a problem: plain calls, and each answered once.

A method of a module that is fetched from an instance is a module of its own, 16 us to
make, so that it can be handed to a transformation as a pytree. What is asked on the
host alone (oracles, facts, sizes) is asked sixty times before a small run begins, and
never handed on: a `Question` is fetched as a call.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
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
    """The answers of one object."""

    def __init__(self, of: Any):
        self.of = of
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
def once(problem: Any) -> Iterator[None]:
    """Inside, what this very object is asked again has the answer it had.

    Its data must stay as they are meanwhile.
    """
    token = _KNOWN.set(_Known(problem))
    try:
        yield
    finally:
        _KNOWN.reset(token)
