"""How every run ends: one function builds every Result.

A Result is made from three things: what was asked (the plan and its limits), what
the run left, and the clock. The compiled driver, peers on the host,
lanes of `solve_many` and problems proved unsolvable differ in how they leave their
carry (`Left`), and in nothing else.

A look behind a screen may carry a placeholder for its slack (decision 0004). Where
the verdict did not come from such a look's own numbers, the point is judged once
more without a screen, when certificate or point are first read: what is then shown
is that look's certificate, and `x` is the very point that it speaks of.
"""

import dataclasses
import functools
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from banach.core import compat, tree
from banach.core.check import Certificate, Check
from banach.core.point import Point
from banach.core.problem import Problem
from banach.core.result import Result, TraceView, point_id
from banach.engine import messages
from banach.engine.judge import judged
from banach.engine.manifest import manifest
from banach.engine.plan import Limits, Plan

# Statuses that a screened look can end in with a placeholder for its slack.
UNDECIDED = frozenset(
    "running budget stalled interrupted nonfinite unverifiable".split()
)


class Asked(NamedTuple):
    """What was asked of a run, and by what its answer is judged."""

    plan: Plan
    limits: Limits
    key: np.ndarray
    problem_id: Callable[[], str]
    settings: Any = None
    # A whole look at the best point, where the run makes it better than `look`.
    whole: Callable[[], tuple[Certificate, Point]] | None = None


class Clock(NamedTuple):
    """Seconds of a run, and what ended it from outside."""

    compile: float
    run: float
    check: float
    elapsed: float
    limit: float | None = None
    compile_free: bool = False
    lost: str = ""


class Left(Protocol):
    """What a run leaves: its verdict so far, and the rest when it is asked for."""

    status: str
    steps: int

    def point(self) -> Point:
        """The best point, as NumPy arrays."""

    def certificate(self) -> Certificate:
        """What was written of the best point inside the run."""

    def best_step(self) -> int:
        """The step that the best point belongs to."""

    def bad(self) -> tuple[int, int]:
        """(step, leaf) of the first non-finite value, -1 where there is none."""

    def calls(self) -> dict[str, int]:
        """Oracle calls of the method."""

    def trace(self) -> TraceView:
        """Rows of the run."""

    def said(self) -> dict[str, str] | None:
        """What a peer says of its own run, in its words; None for native methods."""

    def carry(self) -> Any:
        """The whole carry, for checkpoints; None where a run cannot be resumed."""

    def schedule(self) -> dict[str, Any] | None:
        """By what it was run, from which look, and work done; None for peers."""


def finish(asked: Asked, left: Left, clock: Clock) -> Result:
    """The Result of a run; words and copies are made when they are read."""
    spoken = functools.cache(lambda: _spoken(asked, left))
    status, steps = left.status, left.steps
    # A run that was cut off is not kept waiting for a whole look.
    spent = status == "budget" and clock.limit is None
    if spent and bool(spoken()[0].blurred(asked.limits.tol)):
        # More steps would not help: rounding hides what is left (CERTIFICATES 2.6).
        status = "unverifiable"

    def point() -> Point:
        return left.point() if left.status not in UNDECIDED else spoken()[1]

    unattained = functools.cache(lambda: asked.plan.problem.unattained(me().x))

    def certificate() -> Certificate:
        said = spoken()[0] if unattained() is None else without_minimiser(spoken()[0])
        return stamped(said, asked.problem_id(), me().x)

    def dtype() -> str:
        # Read by the user, outside the 64-bit context of the run.
        with compat.double():
            return str(tree.dtype(me().x))

    def facts() -> dict[str, Any]:
        return _facts(asked, left, clock, me(), dtype()) | {"unattained": unattained}

    result = Result(
        problem=asked.plan.problem,
        method=asked.plan.method,
        check=asked.plan.check,
        status=status,
        tol=asked.limits.tol,
        absolute=asked.limits.absolute,
        steps=steps,
        seconds={"compile": clock.compile, "run": clock.run, "check": clock.check},
        key_data=asked.key,
        settings=asked.settings,
        timed_out=clock.limit is not None,
        later={
            "carry": left.carry,
            "point": point,
            "certificate": certificate,
            "best_step": left.best_step,
            "calls": left.calls,
            "peer": left.said,
            "trace": left.trace,
            "reason": lambda: messages.reason(status, facts()),
            "hint": lambda: messages.hint(status, facts()),
            "manifest": lambda: (
                manifest(dtype(), asked.key)
                | {"view": asked.plan.method.seen_as(), "schedule": left.schedule()}
            ),
        },
    )
    # A strong reference from the closures would keep results until a collection.
    me: Callable[[], Any] = weakref.ref(result)
    return result


def _spoken(asked: Asked, left: Left) -> tuple[Certificate, Point]:
    """The certificate without placeholders, and the point that it speaks of."""
    screened = asked.plan.check.screens() and not asked.limits.absolute
    if left.status in UNDECIDED and screened:
        if asked.whole is not None:
            return asked.whole()
        return look(asked.plan.problem, asked.plan.check, left.point(), asked.key)
    return left.certificate(), left.point()


def look(
    problem: Problem, check: Check, point: Point, key: np.ndarray, number: int = 0
) -> tuple[Certificate, Point]:
    """One whole look at a point, on the host: (certificate, the point it speaks of)."""
    with compat.double():
        return judged(problem, check, point, key, number)


def stamped(certificate: Certificate, problem_id: str, x: Any) -> Certificate:
    """The certificate with the names of its problem and of the bits it speaks of."""
    return dataclasses.replace(certificate, problem_id=problem_id, point_id=point_id(x))


def without_minimiser(certificate: Certificate) -> Certificate:
    """The same bound, beside the proof that nothing attains the infimum."""
    assumes = (*certificate.assumes, "minimiser exists: refuted")
    return dataclasses.replace(certificate, assumes=assumes)


def _early(steps: int, trace: Any) -> float:
    """The least ratio that was seen in the first half of a run."""
    first = np.asarray(trace.ratio)[np.asarray(trace.step) < steps / 2]
    return float(np.min(first, initial=np.inf, where=np.isfinite(first)))


def _facts(
    asked: Asked, left: Left, clock: Clock, result: Result, dtype: str
) -> dict[str, Any]:
    """What `explain` needs for its sentences."""
    facts: dict[str, Any] = {
        "certificate": result.certificate,
        "tol": asked.limits.tol,
        "steps": left.steps,
        "best_step": result.best_step,
        "early": _early(left.steps, result.trace),
        "dtype": dtype,
        "elapsed": clock.elapsed,
        "time_limit": clock.limit,
        "compile_free": clock.compile_free,
        "lost": clock.lost,
        "proof": asked.plan.proof[1] if asked.plan.proof else "",
        "diagnose": lambda: asked.plan.problem.diagnosis(result.x),
        "stronger": asked.plan.problem.stronger,
        "untried": lambda: asked.plan.problem.untried(result.x),
    }
    if result.status == "nonfinite":
        where, cause = messages.locate(result.x, *left.bad(), result.trace)
        facts |= {"where": where, "cause": cause}
    return facts


class OneLook:
    """What is left where no step was taken: one look at the start."""

    steps = 0

    def __init__(self, status: str, certificate: Certificate, point: Point):
        self.status = status
        self._certificate, self._point = certificate, point

    def point(self) -> Point:
        """The point that was looked at."""
        return self._point

    def certificate(self) -> Certificate:
        """What was written of it."""
        return self._certificate

    def best_step(self) -> int:
        """No step was taken."""
        return 0

    def bad(self) -> tuple[int, int]:
        """Nothing became non-finite."""
        return -1, -1

    def calls(self) -> dict[str, int]:
        """No method was called."""
        return {}

    def trace(self) -> TraceView:
        """No rows."""
        return no_rows()

    def said(self) -> None:
        """No peer was asked."""

    def carry(self) -> None:
        """There is nothing to resume."""

    def schedule(self) -> None:
        """Nothing was run."""


def no_rows() -> TraceView:
    """The trace of a run that kept none."""
    none = np.zeros(0)
    return TraceView(none, none, none, none, {}, np.zeros(0, bool))
