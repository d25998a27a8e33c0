"""Paired timings, reports, and the machine that they were made on."""

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PACKAGES = (
    "jax jaxlib numpy scipy scikit-learn jaxopt optax optimistix skglm POT ott-jax"
).split()


@dataclasses.dataclass(frozen=True)
class Goal:
    """A number to reach: met where `measured` is at most `bound`."""

    what: str
    measured: float
    bound: float

    @property
    def met(self) -> bool:
        return self.measured <= self.bound


@dataclasses.dataclass(frozen=True)
class Report:
    """What one benchmark found."""

    name: str
    title: str
    setting: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        out = dataclasses.asdict(self)
        for goal, said in zip(self.goals, out["goals"], strict=True):
            said["met"] = goal.met
        return out

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.setting, ""]
        lines += table(self.columns, self.rows)
        if self.goals:
            lines.append("")
        for g in self.goals:
            verdict = "reached" if g.met else "**not reached**"
            lines.append(f"- {g.what}: {shown(g.measured)}, "
                         f"goal {shown(g.bound)}: {verdict}.")  # fmt: skip
        if self.notes:
            lines += ["", *[f"{note}" for note in self.notes]]
        return "\n".join(lines) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        lines.append("| " + " | ".join(shown(v) for v in row) + " |")
    return lines


def shown(v: Any) -> str:
    """A cell: numbers with three digits."""
    if v is None:
        return ""
    if isinstance(v, float):
        return f"{v:.3g}"
    return str(v)


def clock(fun: Callable[[], Any]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    fun()
    return time.perf_counter() - began


def paired(
    contenders: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
    """Seconds of every contender in each round, A B C then C B A, after one warm-up.

    Each call must leave its answer in the host's memory.
    """
    for fun in contenders.values():
        fun()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            seconds[name].append(clock(contenders[name]))
    return seconds


def ratio(seconds: dict[str, list[float]], a: str, b: str) -> float:
    """Median over the rounds of a's seconds over b's in the same round."""
    return statistics.median(x / y for x, y in zip(seconds[a], seconds[b], strict=True))


def loosest(solve: Callable[[float], Any], good: Callable[[Any], bool]) -> float | None:
    """The loosest own tolerance 10^-2, 10^-2.5, ... whose answer passes `good`."""
    for k in range(4, 33):
        tol = 10.0 ** (-k / 2)
        if good(solve(tol)):
            return tol
    return None


def machine() -> dict[str, Any]:
    """Where and with what these numbers were made."""
    import jax

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0].split(":", 1)[1].strip() if names else model
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "backend": jax.default_backend(),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def keep(report: Report, path: Path) -> None:
    """Write one report as a page of its own, with the machine it was made on."""
    here = machine()
    versions = ", ".join(f"{k} {v}" for k, v in here["versions"].items())
    said = [
        f"# Benchmark: {report.name}",
        f"Written by `python -m benchmarks {report.name}`. {here['date']}; "
        f"{here['cpu']}, {here['cores']} cores, {here['system']}; Python "
        f"{here['python']}; {versions}; load average at the end {here['load']}.",
        report.markdown(),
    ]
    path.write_text("\n\n".join(said), encoding="utf-8")
