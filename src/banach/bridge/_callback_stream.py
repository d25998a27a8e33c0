"""A peer's callback turned into an iterator: its thread is paused between items."""

import contextlib
import threading
import warnings
from collections.abc import Callable, Generator
from typing import Any

import jax

from banach.core import compat


class Closed(BaseException):
    """Raised inside the peer when nobody asks for its iterates any more.

    A BaseException, so that no `except Exception` of a peer swallows it.
    """


class Worker:
    """What a job running on the other thread is given."""

    def __init__(self):
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._items: list[Any] = []
        self._error: BaseException | None = None
        self._closed = False
        self.last: Any = None

    def emit(self, item: Any) -> None:
        """Hand an item over and pause until the next one is asked for."""
        self._items.append(item)
        self._done.release()
        self._go.acquire()
        self.alive()

    def alive(self) -> None:
        """Raise `Closed` once the iterator was closed."""
        if self._closed:
            raise Closed


def paused(
    job: Callable[[Worker], Any], quiet: Callable[[], None]
) -> Generator[Any, None, Any]:
    """Items that job(worker) emits; the job runs only while an item is awaited.

    What the job returns is what the generator returns.
    `quiet()` sets warning filters for the time that the job runs. An exception of
    the job is raised here. Closing the iterator ends the job at its next call of
    `emit` or `alive`, and waits for that.
    """
    worker = Worker()
    # JAX's 64-bit context belongs to a thread: the job gets that of the caller.
    wide = jax.dtypes.canonicalize_dtype("float64") == "float64"

    def main() -> None:
        worker._go.acquire()
        try:
            worker.alive()
            with compat.double() if wide else contextlib.nullcontext():
                worker.last = job(worker)
        except Closed:
            pass
        except BaseException as error:
            worker._error = error
        finally:
            worker._done.release()

    thread = threading.Thread(target=main, name="banach-peer", daemon=True)
    thread.start()
    try:
        while True:
            with warnings.catch_warnings():
                quiet()
                worker._go.release()
                worker._done.acquire()
            if worker._items:
                yield worker._items.pop()
            elif worker._error is not None:
                raise worker._error
            else:
                return worker.last
    finally:
        worker._closed = True
        worker._go.release()
        thread.join()
