"""Host methods (peer libraries): iterates timed live, judged off the clock."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from banach.core import explain, host, programs, tree
from banach.core import run as loop
from banach.core.check import Check
from banach.core.manifest import manifest
from banach.core.method import HostMethod
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.result import Result, TraceView, point_id, problem_id


class Seen(NamedTuple):
    """One judged iterate."""

    step: int
    seconds: float
    certificate: Any
    point: Point
    calls: dict[str, int]


def iterate_host(
    problem: Problem,
    method: HostMethod,
    start: Point,
    *,
    check: Check,
    tol: Any = 1e-6,
    max_steps: int = 100_000,
    time_limit: float | None = None,
    seed: int = 0,
    rows: int = 256,
    began: float | None = None,
    compile_free: bool = False,
    live: bool = True,
) -> Iterator[Result]:
    """Drive a peer; yields a Result after each judged iterate, the last is final.

    The clock runs only while the peer works. Judging every iterate of a long run
    would cost more than the run, so looks thin out as 1, 2, 3, ..., 10, 12, 14, ...
    (about a tenth of the steps) and the peer's last iterate is always judged.
    """
    began = time.perf_counter() if began is None else began
    number, absolute = loop.split_tol(tol)
    raw: Any = programs.raw_key(seed)
    check = loop.leaves_in(tree.dtype(start.x), check)
    seen: list[Seen] = []
    look, spent = 0, 0.0
    status, limit = "stalled", None
    _, _, compiling = programs.judge(problem, check, start, raw, 0)
    number = float(number)
    how = _Run(problem, method, check, number, absolute, raw, compile_free, compiling)

    def judged(step: int, point: Point, calls: dict[str, int]) -> Seen:
        nonlocal look
        cert, kept, _ = programs.judge(problem, check, point, raw, look)
        cert, kept = jax.device_get((cert, kept))
        look = int(cert.look)
        cert = cert.absolute() if absolute else cert
        return Seen(step, spent, cert, kept, dict(calls))

    def verdict(s: Seen) -> str | None:
        if not bool(tree_finite(s.point.x)) or np.isnan(float(s.certificate.value)):
            return "nonfinite"
        if bool(s.certificate.within(number)):
            return "certified"
        return "refuted" if bool(s.certificate.refuted()) else None

    seen.append(judged(0, start, {}))
    found = verdict(seen[0])
    step = 0
    if found is None:
        with host.interrupts() as stop:
            t0 = time.perf_counter()
            source = method.stream(problem, start, jax.random.wrap_key_data(raw))
            how = how._replace(compile=how.compile + time.perf_counter() - t0)
            began = time.perf_counter() if compile_free else began
            last: tuple[int, Point, dict[str, int]] | None = None
            try:
                while True:
                    t0 = time.perf_counter()
                    item = next(source, None)
                    spent += time.perf_counter() - t0
                    if item is None:
                        break
                    step += 1
                    last = (step, *item)
                    if step <= 10 or step % max(1, step // 10) == 0:
                        seen.append(judged(*last))
                        last = None
                        found = verdict(seen[-1])
                        if live and found is None:
                            yield how.result(seen, "running", None, spent, rows)
                    if found is not None:
                        break
                    if step >= max_steps:
                        status = "budget"
                        break
                    if stop[0]:
                        status = "interrupted"
                        break
                    if time_limit and time.perf_counter() - began >= time_limit:
                        status, limit = "budget", time_limit
                        break
            finally:
                source.close()
            if found is None and last is not None:
                seen.append(judged(*last))
                found = verdict(seen[-1])
    elapsed = time.perf_counter() - began
    yield how.result(seen, found or status, limit, elapsed, rows)


def tree_finite(x: Any) -> bool:
    """Whether every entry of a host point is finite."""
    return all(np.all(np.isfinite(np.asarray(v))) for v in jax.tree.leaves(x))


class _Run(NamedTuple):
    problem: Problem
    method: HostMethod
    check: Check
    tol: float
    absolute: bool
    raw: np.ndarray
    compile_free: bool
    compile: float

    def result(self, seen, status, limit, elapsed, rows) -> Result:
        finite = [s for s in seen if tree_finite(s.point.x)] or seen[:1]
        best = min(finite, key=lambda s: float(s.certificate.ratio))
        if status == "refuted":
            best = seen[-1]
        step, seconds = seen[-1].step, seen[-1].seconds
        x = jax.tree.map(np.asarray, best.point.x)
        stamp = {"problem_id": problem_id(self.problem), "point_id": point_id(x)}
        certificate = dataclasses.replace(best.certificate, **stamp)
        stride = 1
        while rows and len(seen) // stride > rows:
            stride *= 2
        kept = seen[::stride] if seen[-1] in seen[::stride] else [
            *seen[::stride], seen[-1]
        ]  # fmt: skip
        names = sorted({k for s in kept for k in s.calls})
        view = TraceView(
            np.array([s.step for s in kept]),
            np.array([s.seconds for s in kept]),
            np.array([float(s.certificate.ratio) for s in kept]),
            np.array([float(s.certificate.value) for s in kept]),
            {n: np.array([s.calls.get(n, 0) for s in kept]) for n in names},
            np.ones(len(kept), bool),
        )
        dtype = str(tree.dtype(x))
        facts: dict[str, Any] = {
            "certificate": certificate,
            "tol": self.tol,
            "steps": step,
            "best_step": best.step,
            "dtype": dtype,
            "elapsed": elapsed,
            "time_limit": limit,
            "compile_free": self.compile_free,
            "diagnose": lambda: self.problem.diagnosis(x),
        }
        if status == "nonfinite":
            at = -1 if tree_finite(seen[-1].point.x) else step
            where, cause = explain.locate(x, at, 0, view)
            facts |= {"where": where, "cause": cause}
        return Result(
            problem=self.problem,
            method=self.method,
            check=self.check,
            point=Point(x, best.point.dual),
            certificate=certificate,
            status=status,
            reason=explain.reason(status, facts),
            hint=explain.hint(status, facts),
            tol=self.tol,
            absolute=self.absolute,
            steps=step,
            best_step=best.step,
            calls=dict(seen[-1].calls),
            seconds={"compile": self.compile, "run": seconds, "check": 0.0},
            trace=view,
            manifest=manifest(dtype, self.raw),
            key_data=self.raw,
            timed_out=limit is not None,
        )
