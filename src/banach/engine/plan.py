"""What is asked of a run: one plan, one set of limits. The doors make them; nothing
below decides again."""

import math
from typing import Any, NamedTuple

from banach.core import validation
from banach.core.check import Check
from banach.core.misuse import Misuse
from banach.core.point import Point
from banach.core.problem import Problem
from banach.engine import loop, problem_cache


class Plan(NamedTuple):
    """A problem, the method that is to solve it, the check that judges, the start."""

    problem: Problem
    method: Any
    check: Check
    start: Point
    proof: tuple[str, str] | None = None  # that there is no solution: status, words
    after: tuple[str, ...] = ()  # defaults that follow, where none was named
    data: problem_cache.Kept | None = None
    ready: problem_cache.Ready | None = None

    def made(
        self, every: int | None = None
    ) -> tuple[problem_cache.Kept, problem_cache.Ready]:
        """The data on the device, and the run flattened for its executors."""
        data = problem_cache.of(self.problem) if self.data is None else self.data
        if self.ready is not None:
            return data, self.ready
        rest = (self.problem, self.method, self.check, self.start, every)
        return data, problem_cache.Ready(data, *rest)


class Limits(NamedTuple):
    """How near an answer must come, and what may be spent on it."""

    tol: float = 1e-6
    absolute: bool = False
    steps: int = 100_000
    time: float | None = None
    rows: int = 256

    @classmethod
    def read(cls, tol: Any, steps: Any, time: Any = None, rows: Any = 256) -> "Limits":
        """Misuse unless each is a number of its kind; before any work."""
        validation.integer(steps, "max_steps", low=0, high=loop.MOST_STEPS)
        seconds(time, "time_limit")
        if validation.integer(rows, "rows", low=0) % 2:
            raise Misuse(f"rows must be an even integer >= 0, got {rows!r}")
        number, absolute = loop.split_tol(tol)
        return cls(float(number), absolute, steps, time, rows)


class Manner(NamedTuple):
    """How a run is driven; none of it changes what it is."""

    seed: int = 0
    live: bool = True  # a Result at every border, not at the end alone
    began: float | None = None  # when the clock of the limits started
    compile_free: bool = False  # it starts when all is compiled instead
    tier: str | None = None  # the one executor


PLAIN = Manner()


class Past(NamedTuple):
    """What a run goes on from."""

    carry: Any
    every: int
    seconds: float
    schedule: Any = None


def seconds(value: Any, name: str) -> None:
    """Misuse unless None (no limit) or a positive finite number of seconds."""
    if value is None or (type(value) is float and 0 < value < math.inf):
        return
    try:
        validation.number(value, name, low="positive")
    except Misuse:
        said = f"{name} must be positive seconds, got {validation.shown(value)}"
        raise Misuse(f"{said}; None for no limit") from None
