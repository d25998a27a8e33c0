"""CUTEst problems without general constraints, beside SciPy and Optimistix.

sif2jax states them. Every solver's answer is judged by one check of the problem at one
tolerance. Each problem runs in a worker process under a time limit, and each row is
appended to a JSONL file (BANACH_CUTEST, by default cutest.jsonl in the folder of
temporary files), from which an interrupted run goes on. A full run writes CUTEST.md
and cutest.json beside this file, and profiles into docs/images. The sets are listed
in cutest_sets.json, by the rule that stands there.

    python -m benchmarks cutest            # every set
    python -m benchmarks.cutest large:600  # one set, for so many seconds; rows alone
    python -m benchmarks.cutest choose     # the sets anew
    python -m benchmarks.cutest table      # the page of the rows that are there
"""

import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import cutest_page, measure

HERE = Path(__file__).parent
SETS = HERE / "cutest_sets.json"
LIMIT, START_LIMIT, MEMORY = 90.0, 300.0, 5000
MAPS = 25_000  # Compiled programs each take some of the 65,530 that Linux allows.
SEED, SMALL, LARGEST = 20261129, 100, 5000
LARGE = {"smooth": 16, "bounded": 6, "least_squares": 8}
EASY = 15
RULE = (
    f"sixty: of the unconstrained problems with 2 to {SMALL} unknowns on which SciPy's "
    f"L-BFGS-B makes at least {EASY} calls before its gradient is 1e-6 of the first "
    "(or it ends), 60 drawn without replacement by numpy.random.default_rng"
    f"({SEED}); the other small sets: every problem of at most {SMALL} unknowns, "
    "but of sums of squares that stand there as a system too (the same name but for LS "
    "or NE at its end, the same size) one; "
    f"large: drawn likewise of those with {SMALL + 1} to {LARGEST} unknowns."
)


class Worker:
    """One process, started where it is needed and ended where it is stuck."""

    def __init__(self):
        self.process: Any = None

    def ask(self, job: dict, limit: float) -> dict:
        """The row of a job; that of a stuck or dead worker says so."""
        if self.process is None:
            self._start()
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            row = self.rows.get(timeout=limit)
        except queue.Empty:
            self.stop()
            return {"status": "time limit", "reason": f"no answer in {limit:g} s"}
        except BrokenPipeError:
            row = None
        if row is None:
            code = self.process.wait()
            self.stop()
            return {"status": "crash", "reason": f"the worker ended with {code}"}
        if row.get("memory", 0) > MEMORY or row.get("maps", 0) > MAPS:
            self.stop()
        return row

    def stream(self, job: dict):
        """Rows until the one that says `end`."""
        row = self.ask(job, START_LIMIT)
        while "end" not in row:
            yield row
            if row.get("status") in ("crash", "time limit"):
                raise RuntimeError(f"{job}: {row}")
            row = self.rows.get(timeout=START_LIMIT)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _start(self) -> None:
        self.rows: queue.Queue = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cutest_worker"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

        def read(pipe, rows):
            for line in pipe:
                rows.put(json.loads(line))
            rows.put(None)

        threading.Thread(
            target=read, args=(self.process.stdout, self.rows), daemon=True
        ).start()
        self.rows.get(timeout=START_LIMIT)


def choose() -> None:
    """Write the sets, by RULE."""
    import numpy as np

    worker = Worker()
    known = list(worker.stream({"do": "list"}))
    smooth = [r for r in known if r["kind"] == "smooth"]
    for row in smooth:
        if 2 <= row["n"] <= SMALL:
            job = {"do": "effort", "problem": row["problem"], "kind": "smooth"}
            row["effort"] = worker.ask(job, LIMIT).get("calls")
    worker.stop()

    def drawn(rows, count):
        rows = sorted(rows, key=lambda r: r["problem"])
        count = min(count, len(rows))
        picked = np.random.default_rng(SEED).choice(len(rows), count, replace=False)
        return [rows[i] for i in sorted(picked)]

    hard = [r for r in smooth if (r.get("effort") or 0) >= EASY]
    sixty = drawn(hard, 60)
    names = {r["problem"] for r in sixty}
    small = [r for r in known if r["n"] <= SMALL]
    sets = {"sixty": sixty}
    sets["smooth"] = [
        r for r in small if r["kind"] == "smooth" and r["problem"] not in names
    ]
    for kind in ("bounded", "least_squares"):
        sets[kind] = once([r for r in small if r["kind"] == kind])
    sets["large"] = [
        r
        for kind, count in LARGE.items()
        for r in drawn(
            [r for r in known if r["kind"] == kind and SMALL < r["n"] <= LARGEST], count
        )
    ]
    said = {"rule": RULE, "medium": len(hard), "sets": sets}
    write(said)
    print({k: len(v) for k, v in sets.items()}, len(hard), file=sys.stderr)


def write(said: dict) -> None:
    """The sets, a problem a line."""
    text = json.dumps(said).replace("}, {", "},\n{").replace("}], ", "}],\n")
    SETS.write_text(text + "\n", encoding="utf-8")


def once(rows: list[dict]) -> list[dict]:
    """Without the twins of a sum of squares, the system stated by itself."""
    found: dict[tuple, dict] = {}
    for row in rows:
        stem = row["problem"].removesuffix("NE").removesuffix("LS")
        found.setdefault((stem, row["n"], row.get("rows")), row)
    return list(found.values())


def results() -> Path:
    """Where the rows stand."""
    default = Path(tempfile.gettempdir()) / "cutest.jsonl"
    return Path(os.environ.get("BANACH_CUTEST", default))


def rows_of(path: Path) -> list[dict]:
    """Rows of a run, the last of each solver and problem; half a line is left out."""
    found = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            found[row["problem"], row["kind"], row["solver"]] = row
    return list(found.values())


def measure_set(name: str, few: int | None = None, seconds: float = 1e9) -> None:
    """Rows of a set that are not there yet, until so many seconds are over.

    In an order drawn by SEED, so that what an interrupted run has is a fair sample.
    """
    import numpy as np

    from benchmarks import cutest_solvers

    path = results()
    done = {(r["problem"], r["kind"], r["solver"]) for r in rows_of(path)}
    worker = Worker()
    began = time.perf_counter()
    problems = json.loads(SETS.read_text())["sets"][name]
    order = np.random.default_rng(SEED).permutation(len(problems))
    # Jacobians of more than 800 kB last: each of them takes minutes.
    order = sorted(
        order, key=lambda i: problems[i]["n"] * problems[i].get("rows", 1) > 1e5
    )
    for i in order[:few]:
        if time.perf_counter() - began > seconds:
            break
        given = problems[i]
        p, kind = given["problem"], given["kind"]
        solvers = cutest_solvers.names(kind, given["n"], given.get("rows"))
        said, default = [], None
        for solver in solvers:
            if (p, kind, solver) in done:
                continue
            if default and solver == default["label"] and not default["tried"]:
                row = {**default, "same": True}
            else:
                job = {"do": "run", "problem": p, "kind": kind, "solver": solver}
                row = worker.ask(job, LIMIT)
                if row["status"] == "crash":
                    # Of what came before, perhaps: once more, in a fresh process.
                    row = worker.ask(job, LIMIT)
            if solver == "default" and "label" in row:
                default = row
            row = {"problem": p, "kind": kind, "set": name, "n": given["n"],
                   "solver": solver, **row}  # fmt: skip
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, default=float) + "\n")
            shown = row.get("seconds") and row["status"] == "certified"
            said.append(f"{1e3 * row['seconds']:.3g}" if shown else row["status"])
        if said:
            print(f"{time.perf_counter() - began:.0f} s {i} {p} {kind} {given['n']}:",
                  ", ".join(said), file=sys.stderr, flush=True)  # fmt: skip
    worker.stop()


def run(quick: bool = False) -> measure.Report:
    if importlib.util.find_spec("sif2jax") is None:
        return cutest_page.report([], {}, ["sif2jax is absent: pip install sif2jax."])
    sets = json.loads(SETS.read_text())["sets"]
    for name in ["sixty"] if quick else sets:
        measure_set(name, 3 if quick else None)
    return table(not quick)


def table(keep: bool = True) -> measure.Report:
    """The page of the rows that are there."""
    said = json.loads(SETS.read_text())
    rows = rows_of(results())
    return cutest_page.written(rows, said, keep)


if __name__ == "__main__":
    for asked in sys.argv[1:]:
        if asked == "choose":
            choose()
        elif asked == "table":
            print(table().markdown())
        else:
            name, _, limit = asked.partition(":")
            measure_set(name, seconds=float(limit or 1e9))
