"""Equality-constrained CUTEst problems beside SciPy, judged by one KKT check.

sif2jax states the problems (importing it takes about a minute). A full run writes
CUTEST_EQUATIONS.md beside this file.
"""

import importlib.util
import statistics
import sys
from pathlib import Path

import banach as bn
from banach.bridge import sif2jax
from benchmarks import measure

TOL, STEPS, SECONDS, LARGEST = 1e-6, 1000, 60.0, 100
TABLE = Path(__file__).parent / "CUTEST_EQUATIONS.md"
PEERS = ("scipy:trust-constr", "scipy:SLSQP")


def run(quick: bool = False) -> measure.Report:
    if importlib.util.find_spec("sif2jax") is None:
        return _report([], {}, ["sif2jax is not installed: pip install sif2jax."])
    from banach.methods.constrained._sketch import Sketch

    def kaczmarz(problem):
        return bn.AdasketchNewton(Sketch("rows", 1))

    solvers = {
        "adasketch_newton": lambda p: "adasketch_newton",
        "adasketch_newton, Kaczmarz": kaczmarz,
        **{peer: lambda p, peer=peer: peer for peer in PEERS},
    }
    rows, found = [], {name: [] for name in solvers}
    for i, instance in enumerate(sif2jax.equality_constrained(LARGEST)):
        if quick and i == 5:
            break
        problem = sif2jax.constrained(instance)
        row = [instance.name, problem.size(), problem.rows()]
        for name, make in solvers.items():
            r = bn.solve(
                problem, make(problem), tol=TOL, max_steps=STEPS, time_limit=SECONDS
            )
            found[name].append(r)
            row.append(
                f"{r.steps}, {1e3 * r.seconds['run']:.3g}"
                if r.certified
                else f"{r.status} ({float(r.certificate.ratio):.1e})"
            )
        print("  ", *row, file=sys.stderr, flush=True)
        rows.append(row)
    report = _report(rows, found, [])
    if not quick:
        measure.keep(report, TABLE)
    return report


def _report(rows, found, notes) -> measure.Report:
    total = len(rows)
    for name, runs in found.items():
        good = [r for r in runs if r.certified]
        run = [1e3 * r.seconds["run"] for r in good] or [float("nan")]
        both = [1e3 * (r.seconds["run"] + r.seconds["compile"]) for r in good]
        notes.append(
            f"- {name}: {len(good)} of {total} certified; median of these "
            f"{statistics.median(run):.3g} ms run, "
            f"{statistics.median(both or [float('nan')]):.3g} ms with compilation."
        )
    names = list(found)
    for peer in PEERS:
        if peer not in found:
            continue
        pairs = [(a, b) for a, b in zip(found[names[0]], found[peer], strict=True)
                 if a.certified and b.certified]  # fmt: skip
        ratios = [a.seconds["run"] / b.seconds["run"] for a, b in pairs
                  if b.seconds["run"] > 0]  # fmt: skip
        if ratios:
            notes.append(
                f"- run time of {names[0]} over {peer}, median over {len(ratios)} "
                f"problems that both solve: {statistics.median(ratios):.2g}."
            )
    return measure.Report(
        "cutest_equations",
        "Equality-constrained CUTEst problems",
        f"Every problem of sif2jax with equations only, at most {LARGEST} unknowns and "
        f"no more equations than unknowns. KKT check at tol {TOL:g} relative to the "
        f"start, at most {STEPS} steps and {SECONDS:g} s. Cells: steps and run "
        "milliseconds where certified, else the status and the best ratio.",
        ["problem", "n", "m", *names],
        rows,
        notes=notes,
    )
