"""Chunks of a run whose state is large: its memory is written once and kept.

A chunk of the compiled kernel reads one set of buffers and leaves its carry in another.
Fresh buffers cost more than the steps of a large state (the system hands out every page
anew), so that a run takes turns with two sets. What a Result may still show is never
written over: its buffers go only when it is gone and nobody has looked into it.

The set that a chunk read is also what it can be run again from. Methods that are
`absorbing` are looked at once a block, and where a point is not finite the chunk is
run again, carefully, which finds the step and the leaf (docs/decisions/0016).
"""

import weakref
from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.engine import compile_cache
from banach.engine.loop import CODE

# A border between chunks costs 0.5 to 1.5 ns a byte of the carry (a copy of it, and
# fresh pages for what the program needs beside it): a sixteenth of this, or less.
_SECONDS_PER_BYTE = 25e-9


class Turns:
    """How one run calls its kernel."""

    def __init__(self, kernel: compile_cache.Kernel):
        self.kernel = kernel
        self._own: Any = None  # what the last call left
        self._past: tuple[Any, Any] | None = None  # what it read, and who shows it
        self._shown: Any = None

    def seconds(self, least: float) -> float:
        """How long a chunk should take."""
        if self.kernel.scratch is None:
            return least
        nbytes = sum(s.size * s.dtype.itemsize for s in self.kernel.scratch)
        return max(least, _SECONDS_PER_BYTE * nbytes)

    def shows(self, chunk: Any) -> None:
        """A Result will show what the last call left, through this object."""
        self._shown = weakref.ref(chunk), chunk.touched

    def call(
        self, leaves: Any, raw: Any, state: Any, limits: tuple[int, ...], tol: Any
    ) -> Any:
        """The kernel's next carry."""
        kernel = self.kernel
        if kernel.scratch is None:
            return kernel.call(leaves, raw, state, np.array(limits, np.int32), tol)

        def go(careful: bool, scratch: Any) -> Any:
            given = np.array([*limits, careful], np.int32)
            return kernel.call(leaves, raw, state, given, tol, scratch)

        after = go(not kernel.deferred, self._scratch())
        if kernel.deferred and kernel.progress(after)[0] == CODE["nonfinite"]:
            after = go(True, self._large(after))
        # Buffers that came from elsewhere are somebody's.
        self._past = (state, self._shown) if state is self._own else None
        self._own, self._shown = after, None
        return after

    def _scratch(self) -> Any:
        past, self._past = self._past, None
        assert self.kernel.scratch is not None
        if past is not None:
            state, shown = past
            if shown is None or (shown[0]() is None and not shown[1]):
                return self._large(state)
        return [jnp.zeros(s.shape, s.dtype) for s in self.kernel.scratch]

    def _large(self, packed: list[Any]) -> list[Any]:
        return [packed[i] for i in self.kernel.packing.alone()]
