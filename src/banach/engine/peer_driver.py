"""Host methods (peer libraries): iterates timed live, judged off the clock."""

import functools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from banach.core import blas_threads, mesh, tree, unchanged
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.result import Result, TraceView, problem_id
from banach.engine import compile_cache, driver, executors, loop, problem_cache
from banach.engine.finish import Asked, Clock, finish
from banach.engine.judge import judge_of
from banach.engine.plan import PLAIN, Limits, Manner, Plan

# A guess of what is left, over what was asked, that is worth a look (ours).
HOPE = 4.0
# What peers raise where numbers fail them (LinAlgError is a ValueError). A wrong call
# is Misuse, and goes on.
_PEERS = (ValueError, ArithmeticError, RuntimeError)


class Seen(NamedTuple):
    """One judged iterate."""

    step: int
    seconds: float
    certificate: Any
    point: Point
    calls: dict[str, int]


def iterate_host(plan: Plan, limits: Limits, how: Manner = PLAIN) -> Iterator[Result]:
    """Drive a peer; yields a Result after each judged iterate, the last is final.

    The clock runs only while the peer works. Judging every iterate of a long run
    would cost more than the run, so looks thin out as 1, 2, 3, ..., 10, 12, 14, ...
    (about a tenth of the steps) and the peer's last iterate is always judged. Where
    nobody watches, a look that the method itself expects nothing of is left out.
    """
    began = time.perf_counter() if how.began is None else how.began
    problem, method, start = plan.problem, plan.method, plan.start
    raw: Any = compile_cache.raw_key(how.seed)
    size = sum(int(np.size(v)) for v in jax.tree.leaves(problem))
    check = loop.leaves_in(tree.dtype(start.x), plan.check)
    seen: list[Seen] = []
    look, spent = 0, 0.0
    status, limit, lost = "stalled", None, ""
    said: dict[str, str] | None = None
    before = executors.making()
    # The same data again, stated anew or in a race, are judged as prepared once.
    if mesh.everywhere(problem) is None:
        kept = problem_cache.of(problem) if plan.data is None else plan.data
        judge, store = kept.judge(check), kept.found
    else:
        judge, store = judge_of(problem, check), {}
    asked = Asked(plan._replace(check=check), limits, raw, lambda: problem_id(problem))

    def result(status: str, limit: float | None, elapsed: float) -> Result:
        clock = Clock(
            compiling, seen[-1].seconds, 0.0, elapsed, limit, how.compile_free, lost
        )
        words = said
        if said is None and method.card.family == "bridge":
            words = {"status": "", "message": cut_off(method.label(), status)}
        return finish(asked, _Looks(seen, status, limits.rows, words), clock)

    def judged(step: int, point: Point, calls: dict[str, int]) -> Seen:
        nonlocal look
        cert, kept = judge(point, raw, look)
        look = int(cert.look)
        cert = cert.absolute() if limits.absolute else cert
        return Seen(step, spent, cert, kept, dict(calls))

    def verdict(s: Seen) -> str | None:
        if not bool(tree_finite(s.point.x)) or np.isnan(float(s.certificate.value)):
            return "nonfinite"
        if bool(s.certificate.within(limits.tol)):
            return "certified"
        return "refuted" if bool(s.certificate.refuted()) else None

    def hopeless(left: float) -> bool:
        cert = seen[0].certificate
        asked_for = limits.tol * float(cert.scale)
        return cert.quantity == "f(x)-f*" and left > HOPE * asked_for

    seen.append(judged(0, start, {}))
    compiling = executors.making() - before
    found = verdict(seen[0])
    step = 0
    if found is None:
        with driver.interrupts() as stop:
            t0 = time.perf_counter()
            # What peers compute with; loading it is none of their work.
            import scipy.linalg  # noqa: F401

            source = method.stream(problem, start, jax.random.wrap_key_data(raw))
            compiling += time.perf_counter() - t0
            began = time.perf_counter() if how.compile_free else began
            last: tuple[int, Point, dict[str, int]] | None = None
            try:
                while True:
                    with blas_threads.threads_for(size), unchanged.known(store):
                        t0 = time.perf_counter()
                        try:
                            item = next(source)
                        except StopIteration as end:
                            item, said = None, end.value or said
                        except Misuse:
                            raise
                        except _PEERS as error:
                            # Numerical failure of a peer is a Result, in its words.
                            lost = f"{method.label()} failed: {_words(error)}"
                            item = None
                        spent += time.perf_counter() - t0
                    if item is None:
                        break
                    step += 1
                    last = (step, item[0], item[1])
                    said = item[2] if len(item) > 2 else said
                    idle = not how.live and len(item) > 3 and hopeless(item[3])
                    if not idle and (step <= 10 or step % max(1, step // 10) == 0):
                        seen.append(judged(*last))
                        last = None
                        found = verdict(seen[-1])
                        if how.live and found is None:
                            yield result("running", None, spent)
                    if found is not None:
                        break
                    if step >= limits.steps:
                        status = "budget"
                        break
                    if stop.asked:
                        status = "interrupted"
                        break
                    if limits.time and time.perf_counter() - began >= limits.time:
                        status, limit = "budget", limits.time
                        break
            finally:
                source.close()
            if found is None and last is not None:
                seen.append(judged(*last))
                found = verdict(seen[-1])
    if lost and found is None and not np.isfinite(float(seen[-1].certificate.ratio)):
        status = "nonfinite"
    elapsed = time.perf_counter() - began
    yield result(found or status, limit, elapsed)


def cut_off(label: str, status: str) -> str:
    """In place of a peer's last word, where it was not let finish or failed."""
    if status in ("stalled", "nonfinite"):
        return f"{label} ended without a word of its own"
    return f"{label} had not ended: the check, or the budget, did that"


def _words(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:200]


def tree_finite(x: Any) -> bool:
    """Whether every entry of a host point is finite."""
    return all(np.all(np.isfinite(np.asarray(v))) for v in jax.tree.leaves(x))


class _Looks:
    """What a peer leaves: the iterates that were judged."""

    def __init__(self, seen: list[Seen], status: str, rows: int, said: Any):
        self.seen, self.status, self.rows = list(seen), status, rows
        self._said = said
        self.steps = seen[-1].step

    @functools.cached_property
    def best(self) -> Seen:
        """The judged iterate with the smallest ratio; the last where it refutes."""
        if self.status == "refuted":
            return self.seen[-1]
        finite = [s for s in self.seen if tree_finite(s.point.x)] or self.seen[:1]
        return min(finite, key=lambda s: float(s.certificate.ratio))

    def point(self) -> Point:
        """The best point."""
        best = self.best.point
        return Point(jax.tree.map(np.asarray, best.x), best.dual)

    def certificate(self) -> Any:
        """What was written of it."""
        return self.best.certificate

    def best_step(self) -> int:
        """The peer's iteration that it belongs to."""
        return self.best.step

    def bad(self) -> tuple[int, int]:
        """(step, leaf) of the first non-finite value."""
        return (-1 if tree_finite(self.seen[-1].point.x) else self.steps), 0

    def calls(self) -> dict[str, int]:
        """Oracle calls of the peer."""
        return dict(self.seen[-1].calls)

    def trace(self) -> TraceView:
        """The judged iterates, thinned to at most the rows that were asked for."""
        seen, stride = self.seen, 1
        while self.rows and len(seen) // stride > self.rows:
            stride *= 2
        kept = seen[::stride]
        kept = kept if kept[-1] is seen[-1] else [*kept, seen[-1]]
        names = sorted({k for s in kept for k in s.calls})
        return TraceView(
            np.array([s.step for s in kept]),
            np.array([s.seconds for s in kept]),
            np.array([float(s.certificate.ratio) for s in kept]),
            np.array([float(s.certificate.value) for s in kept]),
            {n: np.array([s.calls.get(n, 0) for s in kept]) for n in names},
            np.ones(len(kept), bool),
        )

    def said(self) -> dict[str, str] | None:
        """The peer's last word."""
        return self._said

    def carry(self) -> None:
        """A peer cannot be resumed."""

    def schedule(self) -> None:
        """A peer runs as it likes."""
