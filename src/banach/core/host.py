"""The host driver: chunks of the compiled kernel, a clock, and Ctrl-C.

`iterate` yields a Result at chunk borders; borders are multiples of the block, so
trace and resume never depend on timing.
"""

import contextlib
import dataclasses
import functools
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from banach.core import compat, explain, kept, mesh, programs, tree
from banach.core import run as loop
from banach.core.check import Check
from banach.core.manifest import manifest
from banach.core.method import Method
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.result import Result, TraceView, point_id

CHUNK_SECONDS = 0.05
_UNDECIDED = ("budget", "stalled", "interrupted", "nonfinite")
FIRST_CHUNK_BYTES_PER_SECOND = 4e9


class Clock(NamedTuple):
    """Marks of one run: (steps, run seconds) at every chunk border."""

    began: float
    compile: float
    marks: list[tuple[int, float]]


@contextlib.contextmanager
def interrupts() -> Iterator[list[bool]]:
    """Turn the first Ctrl-C into a flag; a second one raises as usual."""
    flag = [False]
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.getsignal(signal.SIGINT)

    def note(signum, frame):
        if flag[0]:
            raise KeyboardInterrupt
        flag[0] = True

    signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


def iterate(
    problem: Problem,
    method: Method,
    start: Point,
    *,
    check: Check,
    tol: Any = 1e-6,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    every: int | None = None,
    rows: int = 256,
    carry: Any = None,
    spent: float = 0.0,
    began: float | None = None,
    compile_free: bool = False,
    live: bool = True,
    data: kept.Kept | None = None,
    ready: kept.Ready | None = None,
) -> Iterator[Result]:
    """Drive the kernel; the last Result is final. Call inside a 64-bit context.

    `carry` continues a saved run (same structure); `spent` are its run seconds.
    The clock of `time_limit` starts at `began`, or with `compile_free` once all is
    compiled. With `live` false only the final Result is built. `data` and `ready`
    are what `kept` made of the same problem, method, check and start.
    """
    began = time.perf_counter() if began is None else began
    number, absolute = loop.split_tol(tol)
    number = float(number)
    if data is None:
        data = kept.of(problem)
    if ready is None:
        ready = kept.ready(data, problem, method, check, start, every)
    method, check, leaves = ready.method, ready.check, ready.leaves
    settings = _settings(ready.pace, rows, absolute)
    kernel = programs.kernel_for(ready.key, leaves, settings)
    began = time.perf_counter() if compile_free else began
    clock = Clock(began, kernel.seconds + ready.spent, [])
    fresh = carry is None
    state = kernel.zero if fresh else kernel.packed(carry)
    raw = programs.raw_key(seed)
    # Between devices, messages take the time, and nobody knows how much.
    blocks = 1 if kernel.place is not None else _first_blocks(ready, kernel)
    run_seconds = spent
    cap, asked = max_steps, np.asarray(number, kernel.dtype)
    how = _How(problem, data, ready, settings, number, absolute, raw, compile_free)
    with interrupts() as stop:
        while True:
            t0 = time.perf_counter()
            try:
                limits = np.array([fresh, blocks, cap], np.int32)
                after = kernel.call(leaves, raw, state, limits, asked)
                status, step = kernel.progress(after)
                took = time.perf_counter() - t0
                elapsed = time.perf_counter() - began
                wanted = _decision(stop[0], blocks, took, elapsed, time_limit)
                halted, late, blocks = mesh.agreed(kernel.place, wanted)
            except jax.errors.JaxRuntimeError as error:
                if fresh or not mesh.shared(kernel.place):
                    raise
                how = how._replace(lost=mesh.lost(error))
                elapsed = time.perf_counter() - began
                yield build(how, kernel, state, "interrupted", clock, None, elapsed)
                return
            state, fresh = after, False
            run_seconds += took
            clock.marks.append((step, run_seconds))
            ended, limit = loop.STATUSES[status], None
            if status == 0 and halted:
                ended = "interrupted"
            elif status == 0 and late:
                ended, limit = "budget", time_limit
            if live or ended != "running":
                yield build(how, kernel, state, ended, clock, limit, elapsed)
            if ended != "running":
                return


def _decision(
    stop: bool, blocks: int, took: float, elapsed: float, limit: float | None
) -> tuple[int, int, int]:
    """(interrupted, out of time, blocks of the next chunk)."""
    blocks = max(1, int(blocks * min(4.0, CHUNK_SECONDS / max(took, 1e-6))))
    if limit is None:
        return stop, False, blocks
    left = max(limit - elapsed, 1e-3)
    blocks = max(1, min(blocks, int(blocks * left / CHUNK_SECONDS) + 1))
    return stop, elapsed >= limit, blocks


_settings = functools.lru_cache(loop.Settings)  # a module takes 16 us to make


class _How(NamedTuple):
    problem: Problem
    data: kept.Kept
    ready: kept.Ready
    settings: Any
    tol: float
    absolute: bool
    raw: np.ndarray
    compile_free: bool
    lost: str = ""


def _first_blocks(ready: kept.Ready, kernel: programs.Kernel) -> int:
    # A step passes over its own state too, which may be larger than the data.
    touched = ready.nbytes + sum(v.nbytes for v in kernel.zero) + 2000
    seconds = touched * ready.passes / FIRST_CHUNK_BYTES_PER_SECOND
    return max(1, min(2000, int(CHUNK_SECONDS / seconds)))


def build(
    how: _How,
    kernel: programs.Kernel,
    state: list[Any],
    status: str,
    clock: Clock,
    limit: Any,
    elapsed: float,
) -> Result:
    """A Result from a carry at a chunk border; words and copies only when read."""
    method, check, marks = how.ready.method, how.ready.check, list(clock.marks)
    seconds = marks[-1][1]

    @functools.cache
    def carry() -> loop.Carry:
        return kernel.carry(state)

    @functools.cache
    def host_carry() -> Any:
        c = carry()
        return jax.device_get((c.best, c.last, c.bad_step, c.bad_leaf, c.trace))

    def certificate() -> Any:
        best, last, *_ = host_carry()
        spoken = last if status in ("refuted", "unverifiable") else best.certificate
        if status in _UNDECIDED and check.screens() and not how.absolute:
            spoken = whole(best)
        stamp = {"problem_id": how.data.problem_id(), "point_id": point_id(me().x)}
        return dataclasses.replace(spoken, **stamp)

    def whole(best: Any) -> Any:
        """The best point's certificate with its slack, which screens had spared."""
        with compat.double():
            judged = programs.judge(how.problem, check, best.point, how.raw, 0)
            return jax.device_get(judged[0])

    def calls() -> dict[str, int]:
        counted = jax.device_get(loop.calls_of(method, carry()))
        return {k: int(v) for k, v in counted.items()}

    def trace() -> TraceView:
        last, rows = host_carry()[1], host_carry()[4]
        return trace_view(rows, marks, me().steps, last, method, me().calls)

    def dtype_name() -> str:
        # Read by the user, outside the 64-bit context of the run.
        with compat.double():
            return str(tree.dtype(me().x))

    def words() -> dict[str, Any]:
        facts: dict[str, Any] = {
            "certificate": me().certificate,
            "tol": how.tol,
            "steps": me().steps,
            "best_step": me().best_step,
            "dtype": dtype_name(),
            "elapsed": elapsed,
            "time_limit": limit,
            "compile_free": how.compile_free,
            "lost": how.lost,
            "diagnose": lambda: how.problem.diagnosis(me().x),
        }
        if status == "nonfinite":
            _, _, bad_step, bad_leaf, _ = host_carry()
            where, cause = explain.locate(
                me().x, int(bad_step), int(bad_leaf), me().trace
            )
            facts |= {"where": where, "cause": cause}
        if status == "unverifiable":
            facts["floor"] = 2 * explain.smallest_tol(me().certificate, 0.0)
        return facts

    result = Result(
        problem=how.problem,
        method=method,
        check=check,
        status=status,
        tol=how.tol,
        absolute=how.absolute,
        steps=marks[-1][0],
        seconds={
            "compile": clock.compile,
            "run": seconds,
            "check": seconds * how.ready.share,
        },
        key_data=how.raw,
        settings=how.settings,
        timed_out=limit is not None,
        later={
            "carry": carry,
            "point": lambda: kernel.point(state),
            "certificate": certificate,
            "best_step": lambda: int(host_carry()[0].step),
            "calls": calls,
            "trace": trace,
            "reason": lambda: explain.reason(status, words()),
            "hint": lambda: explain.hint(status, words()),
            "manifest": lambda: manifest(dtype_name(), how.raw),
        },
    )
    # A strong reference from the closures would keep results until a collection.
    me: Callable[[], Any] = weakref.ref(result)
    return result


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
