"""How many threads the libraries of linear algebra (BLAS) use, where it is for us.

OpenBLAS hands a product of a few thousand numbers to all of its threads, and they wait
for each other by spinning: beside another busy process a triangular solve of 31
unknowns took 20 ms instead of 10 us (decision 0020).
"""

import functools
import sys
import threading
from types import TracebackType
from typing import Any

# Numbers in the data below which no operation on them gains from a second thread
# (ours): a pass over them takes about 0.1 ms.
SMALL = 2**18
# Packages that bring a BLAS of their own. Once another one is there, we look again.
_HOLDERS = ("numpy", "scipy.linalg")


class OneThread:
    """Inside the block BLAS uses one thread, in the whole process; it nests.

    The first thread of Python to enter sees to it, until it leaves. For others that
    come meanwhile nothing is done: a number that one of them gave back later could be
    what the first had set.
    """

    _lock = threading.Lock()
    _owner = 0
    _depth = 0
    _held: Any = None
    _known: tuple[bool, ...] = ()

    def __enter__(self) -> None:
        of, me = OneThread, threading.get_ident()
        if of._owner == me:
            of._depth += 1
            known = _loaded()
            if known != of._known:
                # Another library came inside the block.
                of._held.__exit__(None, None, None)
                of._held, of._known = _limited(known), known
        elif of._lock.acquire(blocking=False):
            known = _loaded()
            of._owner, of._depth = me, 1
            of._held, of._known = _limited(known), known

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        of = OneThread
        if of._owner != threading.get_ident():
            return
        of._depth -= 1
        if not of._depth:
            of._held.__exit__(None, None, None)
            of._owner, of._held = 0, None
            of._lock.release()


class AsItIs:
    """Inside the block BLAS uses the threads that it has."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        pass


def threads_for(size: int) -> OneThread | AsItIs:
    """A block in which BLAS has the threads that data of this size are worth."""
    return OneThread() if size < SMALL else AsItIs()


def libraries() -> list[dict[str, Any]]:
    """The BLAS libraries that are loaded, in the words of threadpoolctl."""
    import threadpoolctl

    return [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"]


def _loaded() -> tuple[bool, ...]:
    return tuple(name in sys.modules for name in _HOLDERS)


def _limited(known: tuple[bool, ...]) -> Any:
    return _controller(known).limit(limits=1, user_api="blas")


@functools.lru_cache(maxsize=4)
def _controller(known: tuple[bool, ...]) -> Any:
    """Of the libraries that are loaded now: finding them takes milliseconds."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
