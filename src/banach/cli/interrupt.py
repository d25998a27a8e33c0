"""Ctrl-C on the command line: exit 130 with one line, at any time.

Installed before anything heavy is imported. Until there is an answer the first
Ctrl-C ends the process, also while the compiler has the only thread of Python: the
signal wakes a thread of its own. A run in progress turns it into a flag instead
(`engine.driver.interrupts`) and ends with its best point. Once there is an answer it is
noted, so that what is being printed and written is finished; a second one leaves.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

CODE = 130
_LINE = b"banach: interrupted\n"
# The cursor that a live table hides, and the line that it redraws.
_TERMINAL = b"\r\x1b[K\x1b[?25h"


_PATIENCE = 0.1  # seconds
_ending = threading.Lock()


class _Seen:
    """What this process has to lose, and whether it was told to stop."""

    answer = False
    noted = False
    taken = 0  # signals that reached Python's handler here
    children: ClassVar[set[int]] = set()


def start() -> None:
    """Take over Ctrl-C for this process; call it from the main thread, first."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return  # as `nohup` and background jobs ask
    signal.signal(signal.SIGINT, _asked)
    if os.name != "posix":
        return  # a pipe does not wake threads there
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(ear,), daemon=True).start()


def keep() -> None:
    """From now on there is an answer: finish what is being printed and written."""
    _Seen.answer = True


def noted() -> bool:
    """Whether Ctrl-C came after there was an answer."""
    return _Seen.noted


def wait() -> None:
    """Until Ctrl-C, which ends what was left open and nothing else."""
    with contextlib.suppress(KeyboardInterrupt):
        while not _Seen.noted:
            time.sleep(0.1)


@contextlib.contextmanager
def with_child(pid: int) -> Iterator[None]:
    """A process that must not outlive this one where Ctrl-C ends it."""
    _Seen.children.add(pid)
    try:
        yield
    finally:
        _Seen.children.discard(pid)


def _asked(signum: int, frame: Any) -> None:
    _Seen.taken += 1
    if _Seen.answer and not _Seen.noted:
        _Seen.noted = True
        return
    leave()


def leave() -> None:
    """Say so and end now: imports and compilers may hold any lock."""
    if not _ending.acquire(blocking=False):
        time.sleep(10)  # the other thread is saying it, and ends this one too
    for pid in tuple(_Seen.children):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    try:
        if os.isatty(2):
            os.write(2, _TERMINAL)
        os.write(2, _LINE)
    except OSError:
        pass
    os._exit(CODE)


def _taken() -> int:
    """Signals that some handler of Python's has had."""
    host = sys.modules.get("banach.engine.driver")
    return _Seen.taken + (0 if host is None else host.Stop.taken)


def _listen(ear: int) -> None:
    heard = 0
    while True:
        caught = os.read(ear, 1)
        if not caught or caught[0] != signal.SIGINT:
            continue
        heard += 1
        # Python's own handler waits for the compiler to return; this thread does not.
        # Where that handler had the signal meanwhile, nothing is left to do.
        patience = time.monotonic() + _PATIENCE
        while _taken() < heard and time.monotonic() < patience:
            time.sleep(0.005)
        if _taken() >= heard:
            continue
        handler = signal.getsignal(signal.SIGINT)
        while hasattr(handler, "passes_to") and handler.passes_to() is not handler:
            handler = handler.passes_to()
        ours = handler is _asked
        if ours and not _Seen.answer:
            leave()
