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
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from banach.core import compat, explain, programs, tree
from banach.core import run as loop
from banach.core.check import Check
from banach.core.manifest import manifest
from banach.core.method import Method
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.result import (
    Result,
    TraceView,
    point_id,
    problem_id,
    small_enough_to_hash,
)

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
    live: bool = True,
) -> Iterator[Result]:
    """Drive the kernel; the last Result is final. Call inside a 64-bit context.

    `carry` continues a saved run (same structure); `spent` are its run seconds.
    With `live` false only the final Result is built.
    """
    began = time.perf_counter() if began is None else began
    number, absolute = loop.split_tol(tol)
    number = float(number)
    dtype = tree.dtype(start.x)
    method, check = loop.leaves_in(dtype, (method, check))
    ready = small_enough_to_hash(problem) and problem_id(problem)
    leaves, treedef = programs.flat((problem, method, check, start))
    every, share = _rhythm(problem, method, check, every, treedef)
    settings = loop.Settings(every, rows, absolute)
    kernel = programs.kernel_for(leaves, treedef, settings)
    leaves = jax.device_put(leaves)
    clock = Clock(began, kernel.seconds, [])
    fresh = carry is None
    state = kernel.zero if fresh else jax.tree.leaves(carry)
    raw = programs.raw_key(seed)
    blocks = _first_blocks(problem, method, leaves)
    run_seconds = spent
    cap = np.int32(max_steps)
    how = _How(problem, method, check, settings, number, absolute, raw, ready, share)
    with interrupts() as stop:
        while True:
            t0 = time.perf_counter()
            state = kernel.call(
                leaves, raw, state, np.bool_(fresh), np.int32(blocks), cap,
                np.asarray(number, kernel_dtype(kernel)),
            )  # fmt: skip
            fresh = False
            now = kernel.carry(state)
            status, step = (int(v) for v in jax.device_get((now.status, now.step)))
            took = time.perf_counter() - t0
            run_seconds += took
            clock.marks.append((step, run_seconds))
            elapsed = time.perf_counter() - began
            ended = loop.STATUSES[status]
            limit = None
            if status == 0 and stop[0]:
                ended = "interrupted"
            elif status == 0 and time_limit is not None and elapsed >= time_limit:
                ended, limit = "budget", time_limit
            if live or ended != "running":
                yield build(how, now, ended, clock, limit, elapsed)
            if ended != "running":
                return
            blocks = max(1, int(blocks * min(4.0, CHUNK_SECONDS / max(took, 1e-6))))
            if time_limit is not None:
                left = max(time_limit - elapsed, 1e-3)
                blocks = max(1, min(blocks, int(blocks * left / CHUNK_SECONDS) + 1))


class _How(NamedTuple):
    problem: Problem
    method: Method
    check: Check
    settings: Any
    tol: float
    absolute: bool
    raw: np.ndarray
    problem_id: Any
    share: float


def kernel_dtype(kernel: programs.Kernel) -> Any:
    """Dtype of the certified numbers."""
    return kernel.carry(kernel.zero).last.parts[0].value.dtype


def _first_blocks(problem: Problem, method: Method, leaves: list[Any]) -> int:
    size = sum(v.nbytes for v in leaves) + 2000
    heavy = problem.size() / 4 if "hess" in method.card.needs else 2
    seconds = size * max(heavy, 1) / FIRST_CHUNK_BYTES_PER_SECOND
    return int(np.clip(CHUNK_SECONDS / seconds, 1, 2000))


def build(
    how: _How, carry: Any, status: str, clock: Clock, limit: Any, elapsed: float
) -> Result:
    """A Result from a carry at a chunk border; words and copies only when read."""
    method, marks = how.method, list(clock.marks)
    seconds = marks[-1][1]

    @functools.cache
    def host_carry() -> Any:
        small = (carry.best, carry.last, carry.bad_step, carry.bad_leaf, carry.trace)
        return jax.device_get(small)

    def certificate() -> Any:
        best, last, *_ = host_carry()
        spoken = last if status in ("refuted", "unverifiable") else best.certificate
        if status in _UNDECIDED and how.check.screens() and not how.absolute:
            spoken = whole(best)
        stamp = {"problem_id": how.problem_id or "", "point_id": point_id(result.x)}
        return dataclasses.replace(spoken, **stamp)

    def whole(best: Any) -> Any:
        """The best point's certificate with its slack, which screens had spared."""
        with compat.double():
            check = loop.leaves_in(tree.dtype(best.point.x), how.check)
            judged = programs.judge(how.problem, check, best.point, how.raw, 0)
            return jax.device_get(judged[0])

    def point() -> Point:
        best = jax.device_get((carry.best.point.x, carry.best.point.dual))
        return Point(*best)

    def calls() -> dict[str, int]:
        counted = jax.device_get(loop.calls_of(method, carry))
        return {k: int(v) for k, v in counted.items()}

    def trace() -> TraceView:
        last, rows = host_carry()[1], host_carry()[4]
        return trace_view(rows, marks, result.steps, last, method, result.calls)

    def dtype_name() -> str:
        # Read by the user, outside the 64-bit context of the run.
        with compat.double():
            return str(tree.dtype(result.x))

    def words() -> dict[str, Any]:
        facts: dict[str, Any] = {
            "certificate": result.certificate,
            "tol": how.tol,
            "steps": result.steps,
            "best_step": result.best_step,
            "dtype": dtype_name(),
            "elapsed": elapsed,
            "time_limit": limit,
        }
        if status == "nonfinite":
            _, _, bad_step, bad_leaf, _ = host_carry()
            where, cause = explain.locate(
                result.x, int(bad_step), int(bad_leaf), result.trace
            )
            facts |= {"where": where, "cause": cause}
        if status == "unverifiable":
            facts["floor"] = 2 * explain.smallest_tol(result.certificate, 0.0)
        return facts

    result = Result(
        problem=how.problem,
        method=method,
        check=how.check,
        status=status,
        tol=how.tol,
        absolute=how.absolute,
        steps=marks[-1][0],
        seconds={
            "compile": clock.compile,
            "run": seconds,
            "check": seconds * how.share,
        },
        key_data=how.raw,
        settings=how.settings,
        carry=carry,
        timed_out=limit is not None,
        later={
            "point": point,
            "certificate": certificate,
            "best_step": lambda: int(host_carry()[0].step),
            "calls": calls,
            "trace": trace,
            "reason": lambda: explain.reason(status, words()),
            "hint": lambda: explain.hint(status, words()),
            "manifest": lambda: manifest(dtype_name(), how.raw),
        },
    )
    return result


_SHARES: dict[Any, tuple[int, float]] = {}


def _rhythm(problem, method, check, every, treedef) -> tuple[int, float]:
    """(steps between checks, share of the run that checking takes by declared cost)."""
    key = (treedef, type(method), type(check), every)
    if key not in _SHARES:
        pace = loop.cadence(method, check, problem) if every is None else every
        look = sum(check.screened(1.0).cost(problem).values())
        cost = method.card.cost or {name: 1 for name in method.card.needs}
        weigh = lambda k: problem.size() if k == "hess" else 1  # noqa: E731
        step = sum(v * weigh(k) for k, v in cost.items())
        _SHARES[key] = pace, look / (look + step * pace) if look else 0.0
    return _SHARES[key]


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
