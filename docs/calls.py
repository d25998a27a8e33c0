"""One call of each method that a reader can copy, run when this was last written.

    python docs/calls.py --write [NAME ...]   # solve; docs/calls.json

For each method the first ready problem on which it ends certified, alone, at the
default tolerance, or at the loosest of a few where none does; with the curve of that
run. A method for which there is none has no call, and its page says so.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import banach as bn
from banach import catalogue, zoo
from banach.core import compat
from banach.core.method import Refusal
from banach.doors import defaults

FILE = Path(__file__).with_name("calls.json")
TOLERANCES = (1e-6, 1e-4, 1e-2)
SECONDS = 8.0  # for one run once compiled (ours)
POINTS = 80  # of a curve, at most
MOST = 6  # problems that are tried at one tolerance
FIRST = ("fit:puromycin", "lasso:diabetes", "logistic:breast_cancer")  # known to many

TERMED = "lasso:diabetes"


def candidates(name: str, entry: dict[str, Any]) -> list[str]:
    """Ready problems that the method takes as they are, its own kind's first."""
    found = []
    own = entry["problem"]

    termed = "prox" in entry["needs"]

    def order(row: dict[str, Any]) -> tuple[bool, bool, bool]:
        # Where a method is made for terms, a problem that has one.
        shown = not (termed and row["name"] == TERMED)
        return shown, row["name"] not in FIRST, row["kind"] != own

    for row in sorted(zoo.names(), key=order):
        problem = zoo.load(row["name"])
        with compat.double():
            made = defaults.suggest(name, problem, problem.facts())
        if not isinstance(made, Refusal):
            found.append(row["name"])
        if len(found) == MOST:
            break
    return found


def run(name: str, problem: str, tol: float) -> dict[str, Any] | None:
    """The run of one method on one problem, where it ends certified."""
    options = {} if tol == TOLERANCES[0] else {"tol": tol}
    found = bn.solve(problem, name, time_limit=SECONDS, **options)
    if not found.certified:
        return None
    ratio = np.asarray(found.trace.ratio, float)
    keep = np.isfinite(ratio) & (ratio > 0)
    steps, ratio = np.asarray(found.trace.step)[keep], ratio[keep]
    some = np.unique(np.linspace(0, len(steps) - 1, POINTS).round().astype(int))
    if not len(steps):
        some = np.zeros(0, int)
    return {
        "problem": problem,
        "tol": tol,
        "steps": int(found.steps),
        "quantity": found.certificate.quantity,
        "grade": found.certificate.grade,
        "curve": [[int(steps[i]), float(f"{ratio[i]:.3g}")] for i in some],
    }


def call(name: str) -> dict[str, Any] | None:
    """The first call that is certified, or None."""
    entry = catalogue.own()["methods"][name]
    places = candidates(name, entry)
    for tol in TOLERANCES:
        for place in places:
            found = run(name, place, tol)
            if found is not None:
                return found
    return None


def code(name: str, found: dict[str, Any]) -> str:
    """The call as a reader would type it."""
    more = "" if found["tol"] == TOLERANCES[0] else f", tol={found['tol']:g}"
    return (
        f'import banach as bn\n\nresult = bn.solve("{found["problem"]}", '
        f'"{name}"{more})\nprint(result)'
    )


def main(argv: list[str]) -> int:
    """Write all calls, or those of some methods; the exit code."""
    if not argv or argv[0] != "--write":
        print("usage: python docs/calls.py --write [NAME ...]", file=sys.stderr)
        return 2
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    names = argv[1:] or list(catalogue.own()["methods"])
    for name in names:
        known[name] = call(name)
        said = known[name] and (known[name]["problem"], known[name]["tol"])
        print(name, said, file=sys.stderr, flush=True)
        rows = [f"{json.dumps(k)}: {json.dumps(known[k])}" for k in sorted(known)]
        FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
