"""Unconstrained CUTEst problems by the default of each, beside SciPy.

sif2jax states the problems (importing it takes about a minute). Every answer is judged
by one check, stationarity at the tolerance of a user who names none. A full run writes
UNCONSTRAINED.md beside this file.
"""

import gc
import importlib.util
import sys
from pathlib import Path

import jax

import banach as bn
from banach.bridge import sif2jax
from banach.engine import compile_cache
from benchmarks import measure

STEPS, SECONDS, LARGEST, COUNT = 5000, 30.0, 100, 60
TABLE = Path(__file__).parent / "UNCONSTRAINED.md"
PEERS = ("scipy:BFGS", "scipy:L-BFGS-B")


def run(quick: bool = False) -> measure.Report:
    if importlib.util.find_spec("sif2jax") is None:
        return _report([], {}, ["sif2jax is not installed: pip install sif2jax."])
    rows, found = [], {}
    for i, instance in enumerate(sif2jax.unconstrained(LARGEST)):
        if i == (5 if quick else COUNT):
            break
        problem = sif2jax.smooth(instance)
        row = [instance.name, problem.size()]
        for name in ("default", *PEERS):
            method = None if name == "default" else name
            r = bn.solve(problem, method, max_steps=STEPS, time_limit=SECONDS)
            found.setdefault(name, []).append(
                (r.status, float(r.certificate.ratio), r.seconds["run"])
            )
            who = f"{r.label}, " if name == "default" else ""
            row.append(
                f"{who}{r.steps}, {1e3 * r.seconds['run']:.3g}"
                if r.certified
                else f"{who}{r.status} ({float(r.certificate.ratio):.1e})"
            )
        print("  ", *row, sep="  ", file=sys.stderr, flush=True)
        rows.append(row)
        # A process holds so many compiled programs, and no more.
        del problem, r
        compile_cache.clear()
        jax.clear_caches()
        gc.collect()
    report = _report(rows, found, [])
    if not quick:
        measure.keep(report, TABLE)
    return report


def _report(rows, found, notes) -> measure.Report:
    for name, runs in found.items():
        good = [r for r in runs if r[0] == "certified"]
        notes.append(f"- {name}: {len(good)} of {len(rows)} certified.")
    if found:
        ours = found["default"]
        shamed = [
            row[0]
            for i, row in enumerate(rows)
            if ours[i][0] == "unverifiable"
            and any(found[p][i][0] == "certified" for p in PEERS)
        ]
        notes.append(
            "- `unverifiable` where a peer's point passes the same check: "
            f"{', '.join(shamed) or 'none'}."
        )
        missed = [
            row[0]
            for i, row in enumerate(rows)
            if ours[i][0] != "certified"
            and any(found[p][i][0] == "certified" for p in PEERS)
        ]
        notes.append(
            "- not certified where a peer's point passes: "
            f"{', '.join(missed) or 'none'}."
        )
    return measure.Report(
        "unconstrained",
        "Unconstrained CUTEst problems",
        f"The first {COUNT} of sif2jax with at most {LARGEST} unknowns. Stationarity "
        f"at tol 1e-6 relative to the start, at most {STEPS} steps and {SECONDS:g} s. "
        "Cells: steps and run milliseconds where certified, else the status and the "
        "best ratio.",
        ["problem", "n", "default", *PEERS],
        rows,
        notes=notes,
    )
