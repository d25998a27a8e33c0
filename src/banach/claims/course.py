"""The frame of every claim: statements, what each was measured at, and a verdict.

A claim file is a docstring (the paper, what was reduced and why) and one function for
each thing that the paper says:

    @proved("Beck and Teboulle 2009, theorem 4.4", at_most(1))
    def rate():
        '''F(x_k) - F* over 2 L R^2 / (k + 1)^2, the largest of 1,000 steps.'''
        return {name: ... for name, problem in PROBLEMS.items()}

A statement has a sort, a source, a bar that is written before the number is seen, and
returns a number for each instance (or `Seen`, with curves for the figure). The sorts:

- `proved`: a theorem, tried inside its hypotheses; each instance has to meet the bar;
- `reported`: what the authors measured, at a scale that fits a minute, beside a
  fairly tuned baseline;
- `ours`: what a user would ask; shown, and no part of the verdict on the paper.

Measured statements of the last two sorts need `LEAST` instances, one of them drawn
from `fresh()`, a seed that the file cannot know.
"""

import dataclasses
import datetime
import math
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

LEAST = 5  # instances of a statement that no theorem covers (ours)
CLOSE = 0.1  # a number so near to its bar, relatively, is shown as close (ours)
_seed: list[int] = []


@dataclasses.dataclass(frozen=True)
class Seen:
    """Numbers by instance, and curves: panel -> line -> values, or (at, values)."""

    numbers: Mapping[str, float]
    curves: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    axes: tuple[str, str] = ("steps", "")


@dataclasses.dataclass(frozen=True)
class Bar:
    """What the numbers have to meet: an interval, each of them or together.

    `over` is "each" (every instance), "mean" (their geometric mean) or a share of the
    instances, such as 0.8.
    """

    low: float
    high: float
    over: str | float = "each"

    def meets(self, value: float) -> bool:
        """Whether one number lies in the interval; a NaN never does."""
        return self.low <= value <= self.high

    def holds(self, numbers: Mapping[str, float]) -> bool:
        """Whether the numbers meet it, as `over` says."""
        values = list(numbers.values())
        if self.over == "mean":
            return self.meets(geometric_mean(values))
        met = sum(self.meets(v) for v in values)
        return met >= (1.0 if self.over == "each" else float(self.over)) * len(values)

    def words(self) -> str:
        """The requirement, such as "at most 0.5 in geometric mean"."""
        if self.low == -math.inf:
            text = f"at most {self.high:g}"
        elif self.high == math.inf:
            text = f"at least {self.low:g}"
        elif self.high - self.low < 1e-3 * abs(self.high):
            middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
            text = f"{middle:g} to within {half:.0e}"
        else:
            text = f"from {self.low:g} to {self.high:g}"
        if self.over == "mean":
            return f"{text} in geometric mean"
        return text if self.over == "each" else f"{text} on {self.over:.0%} of them"

    def worst(self, numbers: Mapping[str, float]) -> str:
        """The instance that is nearest to breaking it, or breaks it most."""

        def room(value: float) -> float:
            if math.isnan(value):
                return -math.inf
            return min(value - self.low, self.high - value)

        return min(numbers, key=lambda k: room(numbers[k]))

    def close(self, numbers: Mapping[str, float]) -> bool:
        """Whether the number that decides lies within `CLOSE` of an end."""
        mean = geometric_mean(list(numbers.values()))
        value = mean if self.over == "mean" else numbers[self.worst(numbers)]
        ends = [e for e in (self.low, self.high) if math.isfinite(e)]
        return any(abs(value - e) <= CLOSE * abs(e) for e in ends)


def at_most(bar: float, over: str | float = "each") -> Bar:
    """Numbers up to `bar`."""
    return Bar(-math.inf, bar, over)


def at_least(bar: float, over: str | float = "each") -> Bar:
    """Numbers from `bar` up."""
    return Bar(bar, math.inf, over)


def between(low: float, high: float, over: str | float = "each") -> Bar:
    """Numbers from `low` to `high`."""
    return Bar(low, high, over)


@dataclasses.dataclass(frozen=True)
class Statement:
    """One thing that is said: its sort, source, bar, and what measures it."""

    sort: str
    source: str
    says: str
    bar: Bar | None
    measure: Callable[[], Any]
    few: str = ""

    def row(self) -> dict[str, Any]:
        """Measure it: a row of plain data, whatever happens inside."""
        row: dict[str, Any] = {
            "sort": self.sort,
            "source": self.source,
            "says": self.says,
            "required": "" if self.bar is None else self.bar.words(),
        }
        if self.bar is None:
            return row | {"verdict": "out_of_reach", "tried": self.measure()}
        try:
            seen = self.measure()
            seen = seen if isinstance(seen, Seen) else Seen(seen)
            numbers = {k: float(v) for k, v in seen.numbers.items()}
            self.enough(numbers)
        except Exception:
            text = traceback.format_exc()
            last = text.strip().splitlines()[-1]
            return row | {"verdict": "error", "measured": last, "traceback": text}
        worst = self.bar.worst(numbers)
        return row | {
            "verdict": "holds" if self.bar.holds(numbers) else "fails",
            "held": sum(map(self.bar.meets, numbers.values())),
            "instances": len(numbers),
            "mean": geometric_mean(list(numbers.values())),
            "worst": worst,
            "close": self.sort != "proved" and self.bar.close(numbers),
            "few": self.few,
            "numbers": numbers,
            "bar": [self.bar.low, self.bar.high],
            "over": self.bar.over,
            "curves": seen.curves,
            "axes": seen.axes,
        }

    def enough(self, numbers: Mapping[str, float]) -> None:
        """Refuse an empirical statement on too few instances without a reason."""
        need = 1 if self.sort == "proved" or self.few else LEAST
        if len(numbers) < need:
            raise ValueError(
                f"{self.measure.__name__}: {len(numbers)} instances, {need} needed; "
                f"measure more, or say why there are no more: few='...'"
            )


def _sort(sort: str) -> Callable[..., Any]:
    def stated(source: str, bar: Bar, few: str = "") -> Callable[..., Statement]:
        def of(measure: Callable[[], Any]) -> Statement:
            says = " ".join((measure.__doc__ or "").split())
            return Statement(sort, source, says, bar, measure, few)

        return of

    stated.__doc__ = f"Mark a function as what measures a statement: {sort}."
    return stated


proved = _sort("proved")
reported = _sort("reported")
ours = _sort("ours")


def out_of_reach(source: str, says: str, tried: str) -> Statement:
    """A statement of the paper that cannot be tried here, and what was tried."""
    return Statement("reported", source, says, None, lambda: tried)


def statements(claim: Any) -> list[Statement]:
    """Those of a claim's module, in the order of the file."""
    found = [v for v in vars(claim).values() if isinstance(v, Statement)]
    if not found:
        raise ValueError(f"{claim.__name__} states nothing: see claims/course.py")
    return found


def verdict(rows: list[dict[str, Any]]) -> str:
    """On the paper: reproduced, partly, not_reproduced, out_of_reach, or error."""
    if any(r["verdict"] == "error" for r in rows):
        return "error"
    paper = [r for r in rows if r["sort"] != "ours"]
    tried = [r for r in paper if r["verdict"] != "out_of_reach"]
    held = sum(r["verdict"] == "holds" for r in tried)
    if not tried:
        return "out_of_reach"
    if held == len(tried):
        return "reproduced"
    return "partly" if held else "not_reproduced"


def summary(rows: list[dict[str, Any]]) -> str:
    """How many of the paper's statements hold, and which do not."""
    paper = [r for r in rows if r["sort"] != "ours"]
    tried = [r for r in paper if r["verdict"] in ("holds", "fails")]
    held = sum(r["verdict"] == "holds" for r in tried)
    text = f"{held} of {len(tried)}" if tried else "none tried"
    for verdict, word in (("out_of_reach", "out of reach"), ("error", "in error")):
        count = sum(r["verdict"] == verdict for r in paper)
        text += f", {count} {word}" if count else ""
    failed = [r["source"] for r in tried if r["verdict"] == "fails"]
    return text + (f"; not {', '.join(failed)}" if failed else "")


def words(row: dict[str, Any]) -> str:
    """One statement as measured, in a line."""
    if row["verdict"] == "out_of_reach":
        return f"{row['says']}: out of reach ({row['tried']})"
    if row["verdict"] == "error":
        return f"{row['says']}: {row['measured']}"
    if row["over"] == "mean":
        text = f"{_shown(row['mean'])} in geometric mean of {row['instances']}"
    else:
        text = f"{row['held']} of {row['instances']}"
    worst = f"worst {_shown(row['numbers'][row['worst']])} ({row['worst']})"
    return f"{row['verdict']}, {text}, {worst}"


def _shown(value: float | None) -> str:
    # A number that JSON does not know is null there, where the row may come from.
    return "no finite number" if value is None else f"{value:.3g}"


def fresh() -> int:
    """A seed that changes from day to day, for the instance nobody has seen."""
    if not _seed:
        _seed.append(int(datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")))
    return _seed[0]


def use_seed(seed: int) -> None:
    """Let `fresh()` give this seed again, as an earlier row recorded it."""
    _seed[:] = [seed]


def geometric_mean(values: list[float]) -> float:
    """Of nonnegative numbers; zero where one is, NaN where one is negative."""
    numbers = np.asarray(values, float)
    with np.errstate(all="ignore"):
        return float(np.exp(np.mean(np.log(numbers))))


def tuned(grid: list[float], cost: Callable[[float], float]) -> tuple[float, float]:
    """The cheapest value of a grid, and its cost; a grid that ends there is refused.

    A baseline is fairly tuned only if its optimum is not an end of what was tried.
    """
    costs = [cost(v) for v in grid]
    best = int(np.nanargmin(costs))
    if best in (0, len(grid) - 1) and costs[best] < np.inf:
        raise ValueError(
            f"the best of {grid} is its end {grid[best]:g}: widen the grid"
        )
    return grid[best], costs[best]
