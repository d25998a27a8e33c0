"""Fresh processes: import, `banach methods`, `banach solve`."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import measure

SOLVE = ["-m", "banach", "solve", "logistic:breast_cancer"]


def run(quick: bool = False) -> measure.Report:
    times = 3 if quick else 9
    with tempfile.TemporaryDirectory() as cache:
        cold = [process(SOLVE, os.path.join(cache, str(i))) for i in range(3)]
        home = os.path.join(cache, "0")
        cases = {
            "python, nothing": ["-c", "pass"],
            "import banach": ["-c", "import banach"],
            "banach methods": ["-m", "banach", "methods"],
            "import jax": ["-c", "import jax"],
            "banach solve, cache warm": SOLVE,
        }
        warm = {name: [] for name in cases}
        for _ in range(times):
            for name, args in cases.items():
                warm[name].append(process(args, home))
    warm["banach solve, cache empty"] = cold
    rows = [[n, statistics.median(v), min(v), max(v)] for n, v in warm.items()]
    middle = {row[0]: row[1] for row in rows}
    goals = [
        measure.Goal("banach methods, s", middle["banach methods"], 0.5),
        measure.Goal("import banach, s", middle["import banach"], 0.3),
        measure.Goal(
            "banach solve logistic:breast_cancer, cache warm, s",
            middle["banach solve, cache warm"],
            1.5,
        ),
    ]
    return measure.Report(
        "startup",
        "Start of a fresh process",
        f"Wall seconds of whole processes, {times} each in turn; compiled programs "
        "are kept in a folder of their own.",
        ["process", "median s", "least s", "most s"],
        rows,
        goals,
    )


def process(args: list[str], cache: str) -> float:
    """Seconds of one process; its exit code must be 0."""
    env = os.environ | {"XDG_CACHE_HOME": cache}
    env.pop("BANACH_CACHE", None)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules, as people have them
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *args], env=env, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{args} ended with {done.returncode}: {done.stderr}")
    return seconds
