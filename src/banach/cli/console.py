"""Exit codes and streams of the command line."""

import contextlib
import gc
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

CERTIFIED, INTERNAL, USAGE, UNCERTIFIED, NO_SOLUTION, NONFINITE = range(6)
TIME_LIMIT, INTERRUPTED = 124, 130
STOPPED = "banach: interrupted"


class Usage(Exception):
    """Bad arguments; the message names the cure."""


def code_of(status: str, timed_out: bool = False) -> int:
    """Exit code of a run's status."""
    if timed_out and status == "budget":
        return TIME_LIMIT
    return {
        "certified": CERTIFIED,
        "infeasible": NO_SOLUTION,
        "unbounded": NO_SOLUTION,
        "nonfinite": NONFINITE,
        "interrupted": INTERRUPTED,
    }.get(status, UNCERTIFIED)


def say(text: str) -> None:
    """Narration: to stderr."""
    print(text, file=sys.stderr, flush=True)


def out(text: str) -> None:
    """Data: to stdout."""
    print(text, flush=True)


def emit(data: Any) -> None:
    """JSON to stdout, without NaN."""
    out(json.dumps(data, allow_nan=False))


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Misuse, unknown names and unwritable files become usage errors (exit 2)."""
    from banach.catalogue import UnknownMethod

    try:
        yield
    except UnknownMethod as e:
        raise Usage(str(e)) from e
    except ValueError as e:
        if type(e).__name__ == "Misuse":
            raise Usage(str(e)) from e
        raise
    except OSError as e:
        if e.filename is None:
            raise
        raise Usage(f"{e.strerror}: {e.filename}") from e


def guarded(work: Callable[[], int]) -> int:
    """The exit code of a command, whatever happens in it."""
    try:
        with usage_errors():
            return work()
    except Usage as e:
        say(f"banach: {e}")
        return USAGE
    except KeyboardInterrupt:
        say(STOPPED)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return CERTIFIED
    except Exception:
        traceback.print_exc()
        say("banach: internal error (please report the lines above)")
        return INTERNAL


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Imports make many objects that stay: nothing is collected, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def tolerance(tol: float, absolute: bool) -> Any:
    """The tolerance that was asked for."""
    from banach.core.check import Absolute

    return Absolute(tol) if absolute else tol


def on_terminal() -> bool:
    """Whether narration may redraw itself."""
    return sys.stderr.isatty()
