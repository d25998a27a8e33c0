"""The host driver: chunks of the compiled kernel, a clock, and Ctrl-C.

`iterate` yields a Result at chunk borders; borders are multiples of the block, so
trace and resume never depend on timing.
"""

import contextlib
import functools
import math
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import jax
import numpy as np

from banach.core import blas_threads, compat, mesh
from banach.core.method import Method
from banach.core.point import Point
from banach.core.result import Result, TraceView
from banach.engine import compile_cache, executors, loop, problem_cache, tiers
from banach.engine.finish import Asked, Clock, finish
from banach.engine.plan import PLAIN, Limits, Manner, Past, Plan

CHUNK_SECONDS = 0.05
FIRST_CHUNK_BYTES_PER_SECOND = 4e9


class Stop:
    """Ctrl-C as a flag: `asked` says whether it came.

    The handler of SIGINT while it is armed; while it is not, the signal does what it
    did before. Where the flag is up already, it does so as well.
    """

    taken: ClassVar[int] = 0  # signals that became flags, in this process

    def __init__(self, before: Any):
        self.asked, self.armed, self._before = False, 0, before

    def __call__(self, signum: int, frame: Any) -> None:
        """What the system calls when SIGINT comes."""
        if self.armed and not self.asked:
            self.asked = True
            Stop.taken += 1
        elif callable(self._before):
            self._before(signum, frame)
        else:
            raise KeyboardInterrupt

    def passes_to(self) -> Any:
        """The handler that a signal reaches now."""
        return self if self.armed and not self.asked else self._before


@contextlib.contextmanager
def interrupts(armed: bool = True) -> Iterator[Stop]:
    """Turn the first Ctrl-C into a flag; a second one does what it did before.

    Inside another `interrupts` the flag is the outer one, armed meanwhile.
    """
    before = compat.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield Stop(before)
        return
    outer = isinstance(before, Stop)
    stop = before if isinstance(before, Stop) else Stop(before)
    stop.armed += armed
    if not outer:
        compat.signal(signal.SIGINT, stop)
    try:
        yield stop
    finally:
        stop.armed -= armed
        if not outer:
            compat.signal(signal.SIGINT, before)


def iterate(
    plan: Plan, limits: Limits, how: Manner = PLAIN, past: Past | None = None
) -> Iterator[Result]:
    """Drive an executor; the last Result is final. Call inside a 64-bit context.

    `past` continues a saved run (same structure), as its schedule says.
    """
    began = time.perf_counter() if how.began is None else how.began
    data, ready = plan.made(None if past is None else past.every)
    settings = _settings(ready.pace, limits.rows, limits.absolute)
    compiling, ready.spent = ready.spent, 0.0
    made = executors.making()
    fresh = past is None
    runner, state, legs = tiers.begun(ready, settings, how.tier, past)
    compiling += executors.making() - made
    began = time.perf_counter() if how.compile_free else began
    marks: list[tuple[int, float]] = []
    raw = compile_cache.raw_key(how.seed)
    # Between devices, messages take the time, and nobody knows how much.
    blocks = 1 if runner.place is not None else _first_blocks(ready, runner)
    run_seconds = 0.0 if past is None else past.seconds
    plan = plan._replace(method=ready.method, check=ready.check)
    asked = Asked(plan, limits, raw, data.problem_id, settings)

    def result(status: str, limit: float | None, elapsed: float, lost: str = "") -> Any:
        seconds = marks[-1][1]
        clock = Clock(
            compiling, seconds, seconds * ready.share, elapsed, limit,
            how.compile_free, lost,
        )  # fmt: skip
        left = _Chunk(runner, state, status, list(marks), ready.method, list(legs))
        runner.shows(left)
        return finish(asked, left, clock)

    with interrupts() as stop:
        while True:
            t0, made = time.perf_counter(), executors.making()
            try:
                with blas_threads.threads_for(ready.nbytes // 8):
                    after = runner.call(
                        raw, state, (fresh, blocks, limits.steps), limits.tol
                    )
                    # JAX may compute after it has returned: asking waits for it.
                    status, step = runner.progress(after)
                inside = executors.making() - made
                took = time.perf_counter() - t0 - inside
                compiling += inside
                began += inside if how.compile_free else 0.0
                elapsed = time.perf_counter() - began
                wanted = _decision(
                    stop.asked, blocks, took, elapsed, limits.time,
                    runner.pause(CHUNK_SECONDS),
                )  # fmt: skip
                halted, late, blocks = mesh.agreed(runner.place, wanted)
            except jax.errors.JaxRuntimeError as error:
                if fresh or not mesh.shared(runner.place):
                    raise
                elapsed = time.perf_counter() - began
                yield result("interrupted", None, elapsed, mesh.lost(error))
                return
            state, fresh = after, False
            run_seconds += took
            marks.append((step, run_seconds))
            ended, limit = loop.STATUSES[status], None
            if status == 0 and halted:
                ended = "interrupted"
            elif status == 0 and late:
                ended, limit = "budget", limits.time
            if how.live or ended != "running":
                yield result(ended, limit, elapsed)
            if ended != "running":
                return
            if runner.full(state):
                made = executors.making()
                runner, state = tiers.following(runner, state, ready, settings)
                legs.append([runner.name, tiers.looks(runner, state)])
                inside = executors.making() - made
                compiling += inside
                began += inside if how.compile_free else 0.0
                blocks = _first_blocks(ready, runner)


def _decision(
    stop: bool,
    blocks: int,
    took: float,
    elapsed: float,
    limit: float | None,
    pause: float = CHUNK_SECONDS,
) -> tuple[int, int, int]:
    """(interrupted, out of time, blocks of the next chunk)."""
    blocks = max(1, int(blocks * min(4.0, pause / max(took, 1e-6))))
    if limit is None:
        return stop, False, blocks
    left = max(limit - elapsed, 1e-3)
    blocks = max(1, min(blocks, int(blocks * left / pause) + 1))
    return stop, elapsed >= limit, blocks


_settings = functools.lru_cache(loop.Settings)  # a module takes 16 us to make


def _first_blocks(ready: problem_cache.Ready, runner: Any) -> int:
    if runner.name != "fused":
        return 2  # the look at the start, and one block
    if runner.kernel.scratch is not None:
        return 1  # of a large state it may take seconds
    # A step passes over its own state too, which may be larger than the data.
    touched = ready.nbytes + runner.nbytes + 2000
    seconds = touched * ready.passes / FIRST_CHUNK_BYTES_PER_SECOND
    return max(1, min(2000, int(CHUNK_SECONDS / seconds)))


class _Chunk:
    """What a compiled run leaves at a chunk border; arrays move when they are read."""

    def __init__(self, kernel: Any, state: Any, status: str,
                 marks: list[tuple[int, float]], method: Method,
                 legs: list[list[Any]]):  # fmt: skip
        self.kernel, self._state, self.status = kernel, state, status
        self.legs = legs
        self.marks, self.method, self.steps = marks, method, marks[-1][0]
        self.touched: list[bool] = []  # not empty once somebody has looked

    @property
    def state(self) -> list[Any]:
        """The packed carry; from now on its memory is the reader's too."""
        self.touched.append(True)
        return self._state

    @functools.cached_property
    def whole(self) -> loop.Carry:
        """The structured carry."""
        return self.kernel.carry(self.state)

    @functools.cached_property
    def seen(self) -> Any:
        """What results show of the carry, as NumPy arrays."""
        c = self.whole
        shown = (c.best.certificate, c.best.step, c.last, c.bad_step, c.bad_leaf)
        return jax.device_get((*shown, c.trace))

    def carry(self) -> loop.Carry:
        """The whole carry."""
        return self.whole

    def point(self) -> Point:
        """The best point."""
        return self.kernel.point(self.state)

    def certificate(self) -> Any:
        """What was written of it inside the run."""
        return self.seen[0]

    def best_step(self) -> int:
        """The step that it belongs to."""
        return int(self.seen[1])

    def bad(self) -> tuple[int, int]:
        """(step, leaf) of the first non-finite value."""
        return int(self.seen[3]), int(self.seen[4])

    def calls(self) -> dict[str, int]:
        """Oracle calls of the method."""
        counted = jax.device_get(loop.calls_of(self.method, self.whole))
        return {k: int(v) for k, v in counted.items()}

    def schedule(self) -> dict[str, Any]:
        """By what it was run, from which look, and the work of the last of them."""
        said = {"legs": self.legs, "work": float(self.kernel.work(self.state))}
        # Of the last executor nobody asks whether another one follows.
        pinned = self.kernel.name != "fused" and self.kernel.limit == math.inf
        looks = self.kernel.name != "fused" and self.kernel.compiled_looks
        return (
            said
            | ({"pinned": True} if pinned else {})
            | ({"compiled_looks": True} if looks else {})
        )

    def said(self) -> dict[str, str] | None:
        """What a peer says of itself, read from its state."""
        return self.method.said(self.whole.state)

    def trace(self) -> TraceView:
        """Rows, with seconds interpolated between chunk borders."""
        last, rows = self.seen[2], self.seen[5]
        return trace_view(rows, self.marks, self.steps, last, self.method, self.calls())


def trace_view(trace, marks, carry_step, certificate, method, calls) -> TraceView:
    """Rows with seconds interpolated between chunk borders."""
    names = sorted(calls)
    n = int(trace.filled)
    step = np.asarray(trace.step[:n])
    ratio = np.asarray(trace.ratio[:n])
    value = np.asarray(trace.value[:n])
    if trace.step.shape[0] and (n == 0 or step[-1] != carry_step):
        step = np.append(step, np.int32(carry_step))
        ratio = np.append(ratio, certificate.ratio)
        value = np.append(value, certificate.value)
    if method.card.cost is None:
        table = np.asarray(trace.calls[:n])
        counts = {}
        for j, name in enumerate(names):
            column = table[:, j]
            if len(step) > n:
                column = np.append(column, calls[name])
            counts[name] = column
    else:
        init = method.card.init_cost or {}
        counts = {
            k: init.get(k, 0) + step.astype(np.int64) * method.card.cost.get(k, 0)
            for k in names
        }
    at = np.array([0, *[m[0] for m in marks]], float)
    when = np.array([0.0, *[m[1] for m in marks]])
    seconds = np.interp(step, at, when) if len(step) else np.zeros(0)
    return TraceView(step, seconds, ratio, value, counts, np.isin(step, at))
