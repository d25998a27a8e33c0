"""Run every applicable method on one problem, each judged by the same check."""

import concurrent.futures
import dataclasses
import datetime
import functools
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from banach import catalogue
from banach.core import compat, kind, validation
from banach.core.annotations import CheckLike, MethodLike, ProblemLike, Tolerance
from banach.core.check import Check
from banach.core.door import door
from banach.core.method import Refusal, applicable
from banach.core.printing import grade_text, run_delta
from banach.core.problem import Misuse, Problem
from banach.core.result import Result
from banach.doors import defaults, solve
from banach.doors.routes import Paths
from banach.doors.verify import stated
from banach.engine import driver, tiers
from banach.engine.compile_cache import raw_key
from banach.engine.manifest import manifest
from banach.racing import calling
from banach.racing import seed_summary as several
from banach.report import words

RETIMED = 3  # leaders that are run again in one compiled program (ours)
PODIUM = 3  # certified runs that set the pace for the rest (ours)
LEAST_SECONDS = 1.0  # what patience leaves to any run (ours)
MOST_SEEDS = 10_000  # runs of one stochastic method, all kept for its spread


@dataclasses.dataclass(frozen=True, eq=False)
class Refused:
    """A method that does not apply, and what would make it apply."""

    method: str
    reason: str


@dataclasses.dataclass(frozen=True, eq=False)
class Race:
    """The runs of one race, fastest certified first, and who was refused.

    Args:
        problem: what was solved.
        name: shown in the report.
        runs: a Result for each method, fastest certified first.
        refused: methods that do not apply, each with the cure.
        tol: that of all runs.
        time_limit, patience: as `bn.race` was given them.
        command: how it is run again.
        seeds: of the stochastic methods.
        repeats: for each of `runs`, the runs of all its seeds.
        calls: for the label of each run, the call that solves with it.

    Example:
        >>> race = bn.race(
        ...     bn.Ridge(np.eye(2), np.ones(2), l2=1.0), ["lbfgs", "scipy:BFGS"]
        ... )
        >>> len(race.runs), len(race.refused)
        (2, 0)
    """

    problem: Problem
    name: str
    runs: list[Result]
    refused: list[Refused]
    tol: float
    time_limit: float | None
    patience: float | None
    command: str
    seeds: tuple[int, ...] = (0,)
    repeats: list[list[Result]] = dataclasses.field(default_factory=list)
    """For each of `runs`, the runs of all its seeds (one where deterministic)."""
    calls: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """How a run is made again by hand, by the label of its method."""

    @property
    def certified(self) -> list[Result]:
        """The runs whose answer the check certified."""
        return [r for r in self.runs if r.certified]

    @property
    def best(self) -> Result:
        """The fastest certified run (warm seconds), else the smallest ratio."""
        return self.runs[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the JSON of `banach race --json` (schema_version 1).

        A method that ran over several seeds is the run in the middle; its `seeds`
        hold every run and its `spread` the quartiles.
        """
        index = catalogue.load_index()
        runs = []
        names = calling.apart([r.method for r in self.runs])
        for r, name, every in zip(self.runs, names, self.repeats, strict=True):
            entry = index.get(r.method.card.name)
            title = "" if entry is None else entry["title"]
            run = r.to_dict() | {"title": title, "call": self._call(r), "method": name}
            if len(every) > 1:
                run["seeds"] = several.entries(every, self.seeds[: len(every)])
                run["spread"] = several.spread(every)
                # Compiled once, by the first seed.
                compiled = max(v.seconds["compile"] for v in every)
                run["seconds"] = run["seconds"] | {"compile": float(compiled)}
            runs.append(run)
        return (
            {
                "schema_version": 1,
                "command": self.command,
                "machine": machine(),
                "problem": described(self.problem, self.name),
                "check": self._judged(),
                "tol": self.tol,
                "time_limit": self.time_limit,
                "patience": self.patience,
                "runs": runs,
                "refused": [dataclasses.asdict(r) for r in self.refused],
            }
            | self._odds()
            | self._goal()
            | ({"seeds": list(self.seeds)} if len(self.seeds) > 1 else {})
        )

    def _call(self, r: Result) -> str:
        """The call that solves the problem by this run's method, "" if it has none."""
        call = self.calls.get(r.label, "")
        return calling.longer(call, r.steps) if call else ""

    def _judged(self) -> str:
        """The quantity, its grade, its target and its odds, in one line."""
        if not self.runs:
            return ""
        c = self.runs[0].certificate
        # A bound is one; of a residual it is said what it is not.
        worth = grade_text(c) if c.grade == "residual" else c.grade
        said = f"{c.quantity} ({worth})"
        if c.signed:
            said += f", target {words.number(float(self._goal()['target']))}"
        odds = self._odds()
        if odds:
            said += "; " + words.odds(odds["delta"])
        return said

    def _goal(self) -> dict[str, Any]:
        """The target of a signed quantity, if it is one."""
        signed = bool(self.runs) and self.runs[0].certificate.signed
        target = self.runs[0].certificate.target if signed else None
        return {"target": 0.0 if target is None else float(target)} if signed else {}

    def _odds(self) -> dict[str, Any]:
        """Error probability of a run, and that of any among all of the runs."""
        if not self.runs or self.runs[0].certificate.grade != "statistical":
            return {}
        one = run_delta(self.runs[0].check)
        if one is None:
            return {}
        runs = sum(len(every) for every in self.repeats) or len(self.runs)
        return {"delta": {"run": one, "runs": runs, "any": min(1.0, runs * one)}}

    def plot(self, ax: Any = None, against: str = "seconds") -> Any:
        """Certified ratio of every run, a matplotlib Figure.

        `against`: "seconds" (compile time shaded), "run" (once compiled), "step", or
        an oracle such as "grad".
        """
        from banach.report.figures import plot_race

        return plot_race(self.to_dict(), ax, against)

    def html(self, path: Any) -> Path:
        """Write the self-contained report page."""
        from banach.report.page import write_page

        return write_page(self.to_dict(), Path(path))

    def __str__(self) -> str:
        from banach.report.table import plain_lines

        data = self.to_dict()
        lines = [words.summary(data), *map(plain_lines, data["runs"])]
        if "delta" in data:
            lines.append(words.odds(data["delta"]))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from banach.report.cards import of_race

        return of_race(self)


def described(problem: Problem, name: str) -> dict[str, Any]:
    """What a report says of a problem."""
    with compat.double():
        facts = problem.facts().table()
    return {
        "name": name,
        "title": name,
        "kind": problem.kind,
        "size": problem.size(),
        "data": _data(problem),
        "objective": problem.formula(),
        "facts": {k: list(v) for k, v in facts.items()},
    }


@functools.cache
def machine() -> dict[str, Any]:
    """The machine and the versions that a measured number belongs to."""
    info = manifest("float64", raw_key(0))
    cpu = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "platform": platform.system(),
        "python": info["versions"]["python"],
        "jax": info["versions"]["jax"],
        "banach": info["versions"]["banach"],
        "device": info["device"],
        "dtype": "float64",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def entrants(problem: Problem, methods: Sequence[Any] | None) -> list[Any]:
    """Names (with a bridge's variants) or instances that are to run."""
    if methods is not None:
        if isinstance(methods, str | type) or not isinstance(methods, Iterable):
            raise Misuse(
                f"methods must be a list of names, classes or instances, got "
                f"{validation.shown(methods)}; e.g. ['lbfgs']"
            )
        asked = list(methods)
        for entrant in asked:
            if isinstance(entrant, str):
                defaults.card_of(entrant.partition(":")[0])
            else:
                _label(entrant)
        return asked
    facts = problem.facts()
    names: list[Any] = []
    for name, entry in catalogue.load_index().items():
        native = entry["family"] != "bridge"
        if native and _unfit(name, entry, problem, facts):
            names.append(name)
            continue
        try:
            variants = catalogue.load_method(name).variants(problem, facts)
        except ImportError as missing:
            names.append(Refused(name, str(missing)))
            continue
        names.extend(f"{name}:{v}" for v in variants)
        if not variants:
            names.append(name)
    # Those that the kind prefers run first: they set the pace for the rest.
    card = problem.card
    first = [] if card is None else kind.preferred(card, problem, facts)
    return sorted(names, key=lambda name: name not in first)


def _unfit(name: str, entry: dict[str, Any], problem: Problem, facts: Any) -> bool:
    """Whether the card alone says so: such a method need not be imported."""
    needs, assumes = frozenset(entry["needs"]), frozenset(entry["assumes"])
    return applicable(needs, assumes, problem, facts, name) is not None


@door(host=True)
def race(
    problem: ProblemLike,
    methods: Sequence[MethodLike] | None = None,
    *,
    start: Any = None,
    tol: Tolerance = 1e-6,
    check: CheckLike = None,
    max_steps: int = 100_000,
    time_limit: float | None = 10.0,
    patience: float | None = 100.0,
    seed: int = 0,
    seeds: int = 1,
    family: bool = False,
    name: str | None = None,
    command: str = "banach.race(...)",
    progress: Callable[[str, Result | Refused | None], None] | None = None,
) -> Race:
    """Race methods on a problem; every run is judged by the same check.

    Args:
        problem: a Problem or a built-in name.
        methods: names, classes or instances; None: everything applicable.
        start, tol, check, max_steps, seed: as in `solve`, shared by all runs.
        time_limit: seconds for each run once it is compiled. Compile seconds are in
            the listed seconds to a first answer, and shut nobody out on a slow machine.
        patience: once three runs are certified, how many times the seconds of the
            third fastest another one may take, and a second in any case; None: as
            long as `time_limit` says.
        seeds: runs of every stochastic method, seeds seed, seed + 1, ...; the one in
            the middle stands for them and the report shows quartiles. Deterministic
            methods run once. A seed is of the draws of method and check alone: every
            run begins at `start`, or at the problem's own; race from other starts by
            bn.race(problem, start=x0) for each.
        family: of a statistical check: every one of the N runs gets delta / N, so that
            all of them together are wrong with probability at most delta. Otherwise
            each has the check's own delta, and together at most min(1, N delta).
        name: shown in the report; the built-in name by default.
        command: how this race can be run again, printed in the report.
        progress: called with (label, Result | Refused | None) as runs move.

    Returns:
        Race: `runs`, `refused`, `plot()`, `html(path)`, `to_dict()`. Printed, and in
        a notebook, it says first what it found and which call to use.

    Raises:
        Misuse: bad input, or no method that applies, with the cure in the message.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> race = bn.race(bn.Lasso(A, b, lam=0.1), ["fista", "proximal_gradient"])
        >>> sorted(run.label for run in race.certified)
        ['fista', 'proximal_gradient']
    """
    seed = validation.seed(seed)
    seeds = validation.integer(seeds, "seeds", low=1, high=MOST_SEEDS)
    _texts(name, command)
    if progress is not None and not callable(progress):
        raise Misuse(
            f"progress must be a function, "
            f"got {validation.shown(progress)}; it is called "
            "with (label, Result | Refused | None)"
        )
    with compat.double():
        given, source = stated(problem)
        title = name or (problem if source else given.title())
        asked_for = {"tol": tol, "check": check, "start": start}
        check = defaults.check_for(check, given)
        field = entrants(given, methods)
        asked = functools.partial(
            defaults.suggest, problem=given, facts=given.facts(),
            risky=methods is not None, paths=Paths(given, given.facts()),
        )  # fmt: skip
    numbers = tuple(range(seed, seed + seeds))
    if validation.flag(family, "family"):
        check = _shared(check, _planned(field, asked, len(numbers)))
    groups: list[list[Result]] = []
    refused: list[Refused] = []

    def tell(label: str, what: Any) -> None:
        if progress is not None:
            progress(label, what)

    options = dict(start=start, tol=tol, check=check, max_steps=max_steps,
                   time_limit=time_limit, compile_free=True)  # fmt: skip
    if patience is not None:
        patience = float(validation.number(patience, "patience", low="positive"))
    # Once somebody has finished, Ctrl-C ends the race with what there is.
    with driver.interrupts(armed=False) as stop:
        for entrant in field:
            if stop.asked:
                break
            if isinstance(entrant, Refused):
                refused.append(entrant)
                tell(entrant.method, entrant)
                continue
            label = entrant if isinstance(entrant, str) else _label(entrant)
            tell(label, None)
            built = entrant
            if isinstance(entrant, str):
                with compat.double():
                    built = asked(entrant)
                if isinstance(built, Refusal):
                    refused.append(Refused(label, built.cure))
                    tell(label, refused[-1])
                    continue
            stochastic = _draws(built)
            done: list[Result] = []
            limit = _limit(time_limit, patience, groups)
            within = options | {"time_limit": limit}
            for number in numbers if stochastic else numbers[:1]:
                result = None
                for result in solve.iterate(given, built, seed=number, **within):
                    tell(label, result)
                    if result.status == "interrupted":
                        break
                assert result is not None
                if source is not None:
                    result = result.replaced(source=source)
                done.append(result)
                if result.status == "interrupted":
                    break
            groups.append(done)
            if done[-1].status == "interrupted":
                break
            if len(groups) == 1:
                stop.armed += len(groups) == 1
    if not groups and not refused:
        raise Misuse("no method to race; see banach methods")
    groups.sort(key=lambda g: several.order(several.middle(g)))
    if not stop.asked and not any(g[-1].status == "interrupted" for g in groups):
        _retime(given, groups, numbers, options)
        groups.sort(key=lambda g: several.order(several.middle(g)))
    runs = [several.middle(g) for g in groups]
    tol = runs[0].tol if runs else 0.0
    again = calling.calls(problem, field, asked_for, command)
    return Race(
        given, title, runs, refused, tol, time_limit, patience, command, numbers,
        groups, again,
    )  # fmt: skip


def _limit(
    time_limit: float | None, patience: float | None, groups: list[list[Result]]
) -> float | None:
    """Seconds for the next run, after these."""
    runs = map(several.middle, groups)
    seconds = sorted(float(r.seconds["run"]) for r in runs if r.certified)
    if patience is None or len(seconds) < PODIUM:
        return time_limit
    behind = max(LEAST_SECONDS, patience * seconds[PODIUM - 1])
    return behind if time_limit is None else min(behind, time_limit)


def _retime(
    problem: Problem,
    groups: list[list[Result]],
    numbers: Sequence[int],
    options: dict[str, Any],
) -> None:
    """Run the leaders again in one compiled program: how fast they are once compiled.

    What a race meets first runs in programs that are quick to make. Their order is
    that of their work; how near each other the first of them are is seen here.
    """
    native = [g for g in groups if g[0].manifest.get("schedule") is not None]
    leaders = [
        done
        for done in native[:RETIMED]
        if several.middle(done).certified
        and not _fused(several.middle(done).manifest["schedule"])
    ]
    made = _compiled(problem, [several.middle(g) for g in leaders], options)
    for done, compiling in zip(leaders, made, strict=True):
        for at, (run, number) in enumerate(zip(done, numbers, strict=False)):
            *_, again = solve.iterate(
                problem, run.method, seed=number, tier="fused", live=False, **options
            )
            if again.certified or not run.certified:
                waited = run.seconds["compile"] + run.seconds["run"]
                seconds = again.seconds | {"compile": compiling, "first": waited}
                done[at] = again.replaced(source=run.source, seconds=seconds)


def _compiled(
    problem: Problem, runs: list[Result], options: dict[str, Any]
) -> list[float]:
    """Compile the loops of these runs side by side; seconds of each.

    XLA leaves Python's lock alone while it compiles. Nothing is executed here.
    """

    def make(job: Any) -> float:
        ready, settings = job
        with compat.double():
            began = time.perf_counter()
            tiers.build("fused", ready, settings, together=len(jobs) > 1)
            return time.perf_counter() - began

    with compat.double():
        jobs = [
            (solve.planned(problem, r.method, options["check"], options["start"]),
             r.settings)
            for r in runs
        ]  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(max(len(jobs), 1)) as pool:
        return list(pool.map(make, jobs))


def _fused(schedule: dict[str, Any]) -> bool:
    return all(name == "fused" for name, _ in schedule["legs"])


def _texts(name: Any, command: Any) -> None:
    for value, what in ((name, "name"), (command, "command")):
        if not isinstance(value, str) and not (value is None and what == "name"):
            raise Misuse(f"{what} must be text, got {validation.shown(value)}")


def _planned(field: Sequence[Any], asked: Callable[..., Any], seeds: int) -> int:
    """How many runs a race will make at most."""
    runs = 0
    for entrant in field:
        built = entrant
        if isinstance(entrant, str):
            with compat.double():
                built = asked(entrant)
        if isinstance(built, Refused | Refusal):
            continue
        runs += seeds if _draws(built) else 1
    return max(runs, 1)


def _shared(check: Check, runs: int) -> Check:
    """The check with its error probability divided among the runs."""
    whole = run_delta(check)
    if whole is None:
        raise Misuse(
            f"family=True divides the delta of a statistical check among the runs, and "
            f"{check.name} has none; drop it"
        )
    return dataclasses.replace(check, delta=whole / runs)


def _draws(entrant: Any) -> bool:
    """Whether another seed is another run, of a class by its card."""
    of_card: Any = entrant
    return of_card.card.random if isinstance(entrant, type) else entrant.draws()


def _label(entrant: Any) -> str:
    card = getattr(entrant, "card", None)
    if card is None:
        raise Misuse(f"{entrant!r} is no method; see banach methods")
    return card.name if isinstance(entrant, type) else entrant.label()


def _data(problem: Problem) -> str:
    shapes = [v.shape for v in jax.tree.leaves(problem) if getattr(v, "ndim", 0) >= 1]
    if not shapes:
        return "none"
    largest = max(shapes, key=lambda s: functools.reduce(lambda a, b: a * b, s, 1))
    return " x ".join(str(d) for d in largest)
