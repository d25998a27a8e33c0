"""What was found of arrays that have not changed since.

Whoever meets an array of the user's again compares its contents with what is kept of
it. Where somebody has (a run of a problem that is known), or for a stretch of work in
which nobody can change it (a path of a hundred problems of one matrix), what was found
of the same arrays stands.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

Store = dict[str, list[Any]]
# Findings a name that are kept: those of other arrays give way (ours).
_MOST = 8

_STRETCH: contextvars.ContextVar[Store | None] = contextvars.ContextVar(
    "stretch", default=None
)
_OWN: contextvars.ContextVar[Store | None] = contextvars.ContextVar("own", default=None)


@contextlib.contextmanager
def arrays() -> Iterator[None]:
    """Inside, in this thread, what was `found` of arrays once is found again."""
    outer = _STRETCH.get()
    with _within(_STRETCH, {} if outer is None else outer):
        yield


@contextlib.contextmanager
def known(store: Store) -> Iterator[None]:
    """Inside, the arrays of a problem are those that these findings are of."""
    with _within(_OWN, store):
        yield


@contextlib.contextmanager
def _within(variable: Any, store: Store) -> Iterator[None]:
    token = variable.set(store)
    try:
        yield
    finally:
        variable.reset(token)


def found(
    name: str, of: tuple[Any, ...], make: Callable[[], Any], lasting: bool = False
) -> Any:
    """`make()`, or what it was for these very objects and this name.

    `lasting`: with what is kept of the problem too, for its later runs. Not what is
    worked on, as those must not see how far an earlier run came; nor of arrays that are
    none of that problem's, as those of a solve inside a user's function.
    """
    open_ = (_STRETCH.get(), _OWN.get() if lasting else None)
    stores = [store for store in open_ if store is not None]
    for store in stores:
        for past, value in store.get(name, ()):
            if len(past) == len(of) and all(map(_is, past, of)):
                return value
    value = make()
    for store in stores:
        store[name] = [(of, value), *store.get(name, ())[: _MOST - 1]]
    return value


def _is(a: Any, b: Any) -> bool:
    return a is b
