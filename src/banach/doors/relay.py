"""A default that does not give up: one method after another, within one budget.

What a relay does and when it goes on is decision 0014. Every run in it is an ordinary
one, and the Result that comes back is that of one run; `manifest["tried"]` names those
that were left before it.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from banach.core.point import Point
from banach.core.result import Result
from banach.engine.plan import Limits, Manner

# Ends after which another method may still find an answer.
LEFT = frozenset({"stalled", "nonfinite", "unverifiable", "budget"})


class Leg(NamedTuple):
    """One entrant: how it runs, the steps between its looks, whether it can go on."""

    run: Callable[..., Iterator[Result]]
    every: int
    resumes: bool


def relay(
    first: Leg,
    names: Sequence[str],
    build: Callable[[str], Leg | None],
    limits: Limits,
    how: Manner,
    *,
    start: Any,
    convex: Callable[[], bool],
    beside: Callable[[Result], Any],
    objective: Callable[[Result], float],
) -> Iterator[Result]:
    """Results of the legs, one after another; the last is the final one.

    A leg is called with (start, limits, past): the limits of its own steps, and of
    seconds since the run began; `past` is its own Result to go on from. Those
    after the first are built when they are needed, None where a method refuses.

    Where a residual passes at the start itself, `beside` gives another start, or None:
    what is certified from there is the answer if its `objective` is lower.
    """
    done: list[Result] = []
    paused: list[tuple[Leg, Any, int]] = []  # who made way with steps of its own left
    used, point, waiting = 0, start, list(names)
    leg: Leg | None = first
    while leg is not None:
        left, past, after = limits._replace(steps=limits.steps - used), None, None
        whole = not (waiting and leg.resumes)
        while True:
            for result in leg.run(point, _share(leg, whole, left, how), past):
                past = result
                if result.status == "running" and how.live:
                    yield result
            assert past is not None
            halfway = past.status == "budget" and not whole
            over = used + past.steps >= limits.steps or _late(limits, how)
            makes_way = halfway and improves(past)
            if past.status in LEFT and not over and not makes_way:
                after = _next(waiting, build)
            if over or after is not None or not halfway:
                break
            # It makes way, or nobody else can: the rest is its own.
            whole = True
        if halfway and after is not None:
            paused.append((leg, point, len(done)))
        done.append(past)
        used += past.steps
        if after is not None:
            point = _next_start(past, start, convex())
        leg = after
    # Those that followed gave up before the budget did: the first that had not goes on.
    while paused and done[-1].status in LEFT and not _late(limits, how):
        leg, point, at = paused.pop(0)
        past = done.pop(at)
        paused = [(one, where, i - 1) for one, where, i in paused]
        rest = limits._replace(steps=limits.steps - used + past.steps)
        used -= past.steps
        if rest.steps > past.steps:
            for result in leg.run(point, rest, past):
                past = result
                if result.status == "running" and how.live:
                    yield result
        done.append(past)
        used += past.steps
    final = _told(done)
    untried = final.status == "certified" and final.steps == 0 and len(done) == 1
    if untried and limits.steps and final.certificate.grade == "residual":
        other, moved = None, beside(final)
        if moved is not None and not _late(limits, how):
            for other in first.run(moved, limits, None):
                if other.status == "running" and how.live:
                    yield other
        if other is not None:
            final = _compared(final, other, objective)
    yield final


def _share(leg: Leg, whole: bool, left: Limits, how: Manner) -> Limits:
    """The limits of a leg: all that is left, or half of it."""
    if whole:
        return left
    half = max(left.steps // 2 // leg.every, 1) * leg.every
    time_limit = left.time
    if time_limit is not None:
        spent = time.perf_counter() - _began(how)
        time_limit = time_limit - max(time_limit - spent, 0) / 2
    return left._replace(steps=min(half, left.steps), time=time_limit)


def _began(how: Manner) -> float:
    assert how.began is not None
    return how.began


def _next(waiting: list[str], build: Callable[[str], Leg | None]) -> Leg | None:
    while waiting:
        leg = build(waiting.pop(0))
        if leg is not None:
            return leg
    return None


def _late(limits: Limits, how: Manner) -> bool:
    if limits.time is None:
        return False
    return time.perf_counter() - _began(how) >= limits.time


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


def _compared(
    start: Result, other: Result, objective: Callable[[Result], float]
) -> Result:
    """The start, which passes as it stands, or what was found from beside it."""
    f, g = objective(other), objective(start)
    # Lower by more than a millionth (ours): rounding is no descent.
    lower = f < g - 1e-6 * (abs(f) + abs(g))
    if other.status == "certified" and lower:
        tried = [{"method": "the start, which passes as it stands",
                  "status": "certified, and higher", "steps": 0, "ratio":
                  float(start.certificate.ratio), "seconds": 0.0}]  # fmt: skip
        return other.replaced(manifest=other.manifest | {"tried": tried})
    found = f"ended {other.status} at {f:.6g}, LOWER than {g:.6g} here"
    if not lower:
        found = "found nothing lower"
    return start.replaced(
        hint=f"the start passes as it stands; a run from a start beside it {found}"
        + (f". {start.hint}" if start.hint else "")
    )


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
    changes: dict[str, Any] = {"manifest": best.manifest | {"tried": tried}}
    if best.status == "budget" and not best.timed_out:
        used = sum(int(r.steps) for r in done)
        changes["reason"] = best.reason.replace(
            f"max_steps {best.steps} reached",
            f"max_steps {used} used up by {len(done)} methods",
        )
    return best.replaced(**changes)
