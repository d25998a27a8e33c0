"""How long a person waits for the first answer: fresh processes."""

import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks import measure

REPEATS = 5
IMPORT = ["-c", "import banach"]
LISTING = ["-m", "banach", "methods"]
SOLVE = ["-m", "banach", "solve", "logistic:breast_cancer"]
GOALS = {"import banach": 0.3, "banach methods": 0.5, "banach solve, warm cache": 1.5}


def run(quick: bool = False) -> measure.Report:
    repeats = 3 if quick else REPEATS
    rows, goals = [], []
    cold = [cold_solve() for _ in range(1 if quick else 3)]
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        contenders = dict(zip(GOALS, (IMPORT, LISTING, SOLVE), strict=True))
        contenders = {"python -c pass": ["-c", "pass"], **contenders}
        seconds = measure.paired(
            {k: lambda v=v: process(v, environment) for k, v in contenders.items()},
            repeats,
        )
    for name, times in seconds.items():
        median = statistics.median(times)
        rows.append([name, median, min(times), max(times)])
        if name in GOALS:
            goals.append(measure.Goal(f"{name}, s", median, GOALS[name]))
    rows.append([
        "banach solve, empty cache", statistics.median(cold), min(cold), max(cold)
    ])  # fmt: skip
    return measure.Report(
        "startup", "Start-up, fresh processes",
        f"Medians of {repeats} processes after one that fills the caches; the solve is "
        f"logistic:breast_cancer at its default tolerance. With an empty compilation "
        f"cache: {len(cold)} process(es).",
        ["process", "median s", "min s", "max s"], rows, goals,
    )  # fmt: skip


def process(arguments, environment) -> None:
    """Run Python with these arguments; its exit code must be 0."""
    subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, capture_output=True
    )


def cold_solve() -> float:
    """Seconds of a solve whose compilation cache is empty."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        return measure.clock(lambda: process(SOLVE, environment))
