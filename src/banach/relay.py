"""A default that does not give up: one method after another, within one budget.

What a relay does and when it goes on is decision 0012. Every run in it is an ordinary
one, and the Result that comes back is that of one run; `manifest["tried"]` names those
that were left before it.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from banach.core.point import Point
from banach.core.result import Result

# Ends after which another method may still find an answer.
LEFT = frozenset({"stalled", "nonfinite", "unverifiable", "budget"})


class Leg(NamedTuple):
    """One entrant: how it runs, the steps between its looks, whether it can go on."""

    run: Callable[..., Iterator[Result]]
    every: int
    resumes: bool


def relay(
    legs: Iterator[Leg],
    *,
    start: Any,
    convex: bool,
    max_steps: int,
    time_limit: float | None,
    began: float,
    live: bool,
) -> Iterator[Result]:
    """Results of the legs, one after another; the last is the final one.

    A leg is called with (start, max_steps, time_limit, carry): the limits of its own
    steps, and of seconds since `began`. `legs` may be endless work to make: the next
    one is asked for when it is needed.
    """
    done: list[Result] = []
    used, leg, point = 0, next(legs), start
    while True:
        after = next(legs, None)
        final = None
        for final in _leg(leg, point, after is None, max_steps - used, time_limit,
                          began):  # fmt: skip
            if final.status == "running" and live:
                yield final
        assert final is not None
        done.append(final)
        used += final.steps
        late = time_limit is not None and time.perf_counter() - began >= time_limit
        if after is None or final.status not in LEFT or late or used >= max_steps:
            break
        leg, point = after, _next_start(final, start, convex)
    yield _told(done)


def _leg(
    leg: Leg,
    start: Any,
    last: bool,
    steps: int,
    time_limit: float | None,
    began: float,
) -> Iterator[Result]:
    """One method: half of what is left and, if it pays, all; all if it is the last."""
    if last or not leg.resumes:
        yield from leg.run(start, steps, time_limit, None)
        return
    half = max(steps // 2 // leg.every, 1) * leg.every
    soon = time_limit
    if time_limit is not None:
        soon = time_limit - max(time_limit - (time.perf_counter() - began), 0) / 2
    result = None
    for result in leg.run(start, min(half, steps), soon, None):
        if result.status == "running":
            yield result
    assert result is not None
    if result.status == "budget" and improves(result):
        yield from leg.run(start, steps, time_limit, result)
    else:
        yield result


def improves(result: Result) -> bool:
    """Whether the best ratio has halved in the second half of the steps."""
    rows = result.trace
    ratios = [float(r) if r == r else math.inf for r in rows.ratio]
    early = [r for r, k in zip(ratios, rows.step, strict=True) if 2 * k <= result.steps]
    # Without rows of the first half nothing is known against it.
    return not early or min(ratios) < min(early) / 2 or math.isinf(min(early))


def _next_start(final: Result, start: Any, convex: bool) -> Any:
    """The best point where any point leads to a solution, else the start again."""
    ratio = float(final.certificate.ratio)
    if not convex or final.status == "nonfinite" or not math.isfinite(ratio):
        return start
    return Point(final.x)


def _told(done: list[Result]) -> Result:
    """The last of the runs where it has the word, else the one that came closest."""
    if len(done) == 1:
        return done[0]

    def far(result: Result) -> float:
        ratio = float(result.certificate.ratio)
        return ratio if math.isfinite(ratio) else math.inf

    best = done[-1] if done[-1].status not in LEFT else min(done, key=far)
    tried = [
        {"method": r.label, "status": r.status, "steps": int(r.steps),
         "ratio": None if math.isinf(far(r)) else far(r),
         "seconds": float(r.seconds["compile"] + r.seconds["run"])}
        for r in done
        if r is not best
    ]  # fmt: skip
    return best.replaced(manifest=best.manifest | {"tried": tried})
