"""The file that a run writes while it goes on: found out before, never in its way."""

import contextlib
import warnings
from typing import Any

from banach.core import atomic_files, save
from banach.core.check import Check
from banach.core.problem import Misuse, Problem


class Checkpoint:
    """One file, owned by one run from before its first step until its end.

    What cannot work is a Misuse before the run: a path that cannot be written, a file
    that another run is writing, a problem or check that cannot be saved. What fails
    later is a warning, and the run goes on.
    """

    def __init__(self, path: Any, *parts: Any):
        self.path = atomic_files.tried(path)
        self._savable(*parts)
        self.lock = atomic_files.Lock(self.path)
        self.offered = False

    @staticmethod
    def _savable(*parts: Any) -> None:
        for part in parts:
            if isinstance(part, Problem | Check):
                save.encode(part, save.Store())

    def __enter__(self) -> "Checkpoint":
        with atomic_files.unwritable(self.path):
            self.lock.take(patience=1.0)
        return self

    def __exit__(self, *error: Any) -> None:
        self.lock.give()

    def offer(self, result: Any, due: bool) -> bool:
        """Write the result if it is due or final; whether it was written."""
        going = result.status == "running"
        if going and not self.offered:
            # What was chosen by name may hold a function, too.
            self._savable(result.check)
        self.offered = True
        if going and not due:
            return False
        try:
            save.save_result(
                result,
                self.path,
                checkpoint=result.carry is not None,
                lock=self.lock,
            )
        except (Misuse, OSError) as e:
            then = "the run goes on without"
            if not going:
                then = "the answer is returned unsaved: keep it with result.save(...)"
            warnings.warn(f"no checkpoint was written: {e}; {then}", stacklevel=3)
            return False
        return True


def checkpoint(path: Any, *parts: Any) -> Any:
    """A Checkpoint to enter, or nothing where no file was asked for."""
    return contextlib.nullcontext() if path is None else Checkpoint(path, *parts)
