"""The page of benchmarks.cutest: tables, profiles, failures and their diagnoses."""

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure, profiles

HERE = Path(__file__).parent
TABLE, NUMBERS = HERE / "CUTEST.md", HERE / "cutest.json"
DIAGNOSES = HERE / "cutest_diagnoses.json"
IMAGES = HERE.parent / "docs" / "images"
TITLES = {
    "sixty": "Sixty unconstrained problems of medium difficulty",
    "smooth": "The other unconstrained problems of at most 100 unknowns",
    "bounded": "Problems with bounds of at most 100 unknowns",
    "least_squares": "Sums of squares and systems of at most 100 unknowns",
    "large": "A sample of larger problems, 101 to 5000 unknowns",
}
KINDS = {
    "smooth": "unconstrained problems",
    "bounded": "problems with bounds",
    "least_squares": "sums of squares",
}
FEW = 20
SIZES = ((1, 5), (5, FEW), (FEW, 101), (101, 2001), (2001, 5001))
# The same runs as the default's, nearly always.
DOUBLES = {"smooth": "trust_region_newton", "least_squares": "levenberg_marquardt"}
PEER = {"smooth": "Optimistix BFGS", "bounded": "SciPy L-BFGS-B",
        "least_squares": "Optimistix LevenbergMarquardt"}  # fmt: skip
SLOW = 2.0


def report(rows, goals, notes) -> measure.Report:
    """The summary: one row a set and solver."""
    return measure.Report(
        "cutest",
        "Solvers over each set",
        "Solved: certified by banach's check of the problem at tol 1e-6, relative to "
        "the start, in at most 10,000 steps and 20 s. Warm: the median of five calls, "
        "the problem kept; a peer with the loosest tolerance of its own (10^-2, 10^-3, "
        "...) whose answer passes, its best case; the check is on banach's clock and "
        "on no peer's. Calls are in units of a gradient: a value with a gradient 1, a "
        "product with the Hessian 2, a Hessian or Jacobian n; of a relayed default, "
        "those of its last method. Ratios: the default over this solver, geometric "
        "means over what both solve; below 1 the default is better.",
        ["set", "solver", "solved", "warm ms, median", "calls, median",
         "seconds ratio", "calls ratio"],
        rows,
        goals=goals,
        notes=notes,
    )  # fmt: skip


def good(row: dict[str, Any]) -> bool:
    return row["status"] == "certified" and row.get("seconds") is not None


def costs(rows: Sequence[dict], what: str) -> dict[str, dict[str, float | None]]:
    """The table of `profiles`, seconds or units."""
    out: dict[str, dict[str, float | None]] = {}
    for row in rows:
        cost = max(row[what], 1e-9) if good(row) else None
        out.setdefault(row["solver"], {})[row["problem"]] = cost
    return out


def written(rows: list[dict], said: dict[str, Any], keep: bool) -> measure.Report:
    """The report; with `keep` also the page, the numbers and the pictures."""
    from benchmarks import cutest_solvers

    names = {k: cutest_solvers.names(k, 1) for k in KINDS}
    places = {k: {s: i for i, s in enumerate(v)} for k, v in names.items()}
    rows = sorted(rows, key=lambda r: places[r["kind"]].get(r["solver"], 99))
    summary, goals, notes = [], [], []
    for name, given in said["sets"].items():
        for kind in KINDS:
            own = [r for r in rows if r["set"] == name and r["kind"] == kind]
            total = sum(g["kind"] == kind for g in given)
            if own:
                summary += _summary(name, kind, own, total)
    sixty = [r for r in rows if r["set"] == "sixty"]
    if sixty:
        goals = _goals(sixty)
    finished = report(summary, goals, notes)
    if keep:
        measure.keep(finished, TABLE)
        parts = [TABLE.read_text(encoding="utf-8"), said["rule"] + "\n"]
        parts += [_reading(), _pictures(rows), _by_size(rows), _fixed(rows)]
        parts += [_diagnosed(rows), *_tables(rows, said)]
        TABLE.write_text("\n".join(parts), encoding="utf-8")
        _numbers(rows, said)
    return finished


def _summary(name, kind, own, total):
    seconds, calls = costs(own, "seconds"), costs(own, "unit")
    out = []
    for solver in seconds:
        mine = [r for r in own if r["solver"] == solver]
        solved = [r for r in mine if good(r)]
        where = name if name != "large" else f"large, {KINDS[kind]}"
        fewer = "" if len(mine) == total else f" ({total - len(mine)} not asked)"
        compared = solver != "default" and "default" in seconds
        out.append([
            where, solver, f"{len(solved)} of {len(mine)}{fewer}",
            _median([1e3 * r["seconds"] for r in solved]),
            _median([float(r["unit"]) for r in solved]),
            *([profiles.geometric_mean(profiles.against(t, "default", solver))
               for t in (seconds, calls)] if compared else [None, None]),
        ])  # fmt: skip
    return out


def _goals(sixty):
    seconds = costs(sixty, "seconds")
    ours = sum(v is not None for v in seconds["default"].values())
    asked = len({r["problem"] for r in sixty})
    peers = [s for s in seconds if s.startswith(("SciPy", "Optimistix"))]
    union = {p for s in peers for p, v in seconds[s].items() if v is not None}
    ratio = profiles.geometric_mean(
        profiles.against(seconds, "default", "Optimistix BFGS")
    )
    inside = {r["problem"]: max(r["run"], 1e-9) for r in sixty
              if r["solver"] == "default" and good(r) and "run" in r}  # fmt: skip
    loop = profiles.geometric_mean(
        profiles.against(seconds | {"loop": inside}, "loop", "Optimistix BFGS")
    )
    return [
        measure.Goal(f"unsolved of the sixty by the default ({asked} asked; the union "
                     f"of the peers leaves {asked - len(union)})",
                     float(asked - ours), 5.0),
        measure.Goal("sixty: warm seconds, the default over Optimistix BFGS, geometric "
                     "mean where both solve", ratio, 1.0),
        measure.Goal("the same of the time in the program alone (seconds['run'])",
                     loop, 1.0),
    ]  # fmt: skip


def proposed(kind: str, n: int) -> str:
    """The first default by structure that these rows speak for."""
    if kind == "smooth":
        return "newton_cg" if n < FEW else "lbfgs"
    return "SciPy L-BFGS-B" if kind == "bounded" else "default"


def _by_size(rows):
    """Methods over the default by the number of unknowns, and the proposed rule."""
    lines = ["## Methods by size", "",
             "Seconds over the default's and over the peer's, geometric means over "
             "what both solve.", ""]  # fmt: skip
    found = []
    for kind in KINDS:
        for low, high in SIZES:
            own = [r for r in rows if r["kind"] == kind and low <= r["n"] < high]
            problems = {r["problem"] for r in own}
            if not problems:
                continue
            seconds = costs(own, "seconds")
            for solver, row in seconds.items():
                solved = sum(v is not None for v in row.values())
                peer = PEER[kind]
                found.append([
                    kind, f"{low} to {high - 1}", solver, f"{solved} of {len(row)}",
                    profiles.geometric_mean(
                        profiles.against(seconds, solver, "default")),
                    profiles.geometric_mean(profiles.against(seconds, solver, peer))
                    if peer in seconds else None,
                ])  # fmt: skip
    columns = ["kind", "unknowns", "solver", "solved", "seconds over the default",
               "over the peer"]  # fmt: skip
    lines += measure.table(columns, found)
    lines += ["", f"The peers: {', '.join(PEER.values())}.", "",
              "### A rule by structure", "",
              f"Proposed first defaults: without bounds newton_cg below {FEW} unknowns "
              "and lbfgs from there; with bounds L-BFGS-B; the present default where "
              "these give up (its seconds are not added here). Seen on the sixty, and "
              "kept after the others: no set was held back.", ""]  # fmt: skip
    table = []
    for name in TITLES:
        for kind in ("smooth", "bounded"):
            own = [r for r in rows if r["set"] == name and r["kind"] == kind]
            if not own:
                continue
            seconds = costs(own, "seconds")
            n = {r["problem"]: r["n"] for r in own}
            rule = {p: seconds.get(proposed(kind, n[p]), {}).get(p) for p in n}
            both = seconds | {"rule": rule}
            now = seconds["default"].values()
            peer = PEER[kind]
            table.append([
                name, kind, len(n), sum(v is not None for v in now),
                sum(v is not None for v in rule.values()),
                sum(rule[p] is not None or seconds["default"].get(p) is not None
                    for p in n),
                profiles.geometric_mean(profiles.against(both, "rule", "default")),
                profiles.geometric_mean(profiles.against(both, "default", peer))
                if peer in both else None,
                profiles.geometric_mean(profiles.against(both, "rule", peer))
                if peer in both else None,
            ])  # fmt: skip
    columns = ["set", "kind", "problems", "solved now", "by the first of the rule",
               "with the default after it", "seconds over now", "now over the peer",
               "rule over the peer"]  # fmt: skip
    return "\n".join([*lines, *measure.table(columns, table), ""])


def _fixed(rows):
    """Milliseconds of a call and microseconds of a step, of at most 8 unknowns."""
    lines = ["## What a call and a step cost", "",
             "Unconstrained, at most 8 unknowns: seconds = a + b steps by the median "
             "of all slopes (Theil and Sen).", ""]  # fmt: skip
    found = []
    for solver in dict.fromkeys(r["solver"] for r in rows if r["kind"] == "smooth"):
        at = [(r["steps"], r["seconds"]) for r in rows
              if r["solver"] == solver and good(r) and r["n"] <= 8
              and r["kind"] == "smooth" and r.get("steps")]  # fmt: skip
        if len(at) < 10:
            continue
        a, b = profiles.line(at)
        steps = statistics.median(x for x, _ in at)
        found.append([solver, len(at), 1e3 * a, 1e6 * b, float(steps)])
    columns = ["solver", "problems", "a call, ms", "a step, us", "median steps"]
    return "\n".join([*lines, *measure.table(columns, found), ""])


def _reading():
    written = json.loads(DIAGNOSES.read_text()) if DIAGNOSES.exists() else {}
    return "\n".join(["## Reading", "", *written.get("reading", []), ""])


def _pictures(rows):
    lines = ["## Profiles", "",
             "Of Dolan and Moré: the share of the problems that a solver solves within "
             "so many times the best solver's cost. Of Moré and Wild: within so many "
             "calls a unknown (n + 1). Broken lines: peers. Problems of at most 100 "
             "unknowns; what nobody solves stays in the count.", ""]  # fmt: skip
    for kind, words in KINDS.items():
        own = [r for r in rows if r["kind"] == kind and r["set"] != "large"]
        own = [r for r in own if r["solver"] != DOUBLES.get(kind)]
        problems = sorted({r["problem"] for r in own})
        if not problems:
            continue
        n = {r["problem"]: r["n"] for r in own}
        drawn = {
            "seconds": (profiles.ratios(costs(own, "seconds"), problems),
                        "warm seconds over the best"),
            "calls": (profiles.ratios(costs(own, "unit"), problems),
                      "calls over the fewest"),
            "data": (profiles.data_ratios(costs(own, "unit"), n, problems),
                     "calls / (n + 1)"),
        }  # fmt: skip
        for what, (curves, across) in drawn.items():
            path = IMAGES / f"cutest-{kind.replace('_', '-')}-{what}.png"
            title = f"CUTEst, {len(problems)} {words}"
            profiles.draw(curves, title, across, path)
            lines.append(f"![{title}: {across}](../docs/images/{path.name})")
        lines.append("")
    return "\n".join(lines)


def _diagnosed(rows):
    """Every failure of the default, and where it is slower than the first peer."""
    written = json.loads(DIAGNOSES.read_text()) if DIAGNOSES.exists() else {}
    by: dict[tuple, dict[str, dict]] = {}
    for r in rows:
        by.setdefault((r["kind"], r["problem"]), {})[r["solver"]] = r
    failed, slow, minima = [], [], []
    for (kind, problem), found in sorted(by.items()):
        default = found.get("default")
        if default is None:
            continue
        solved = {s: r for s, r in found.items() if good(r)}
        if not good(default):
            words = written.get(f"{kind} {problem}", default.get("reason", ""))
            by_name = ", ".join(solved) or "nobody"
            failed.append([problem, kind, default["n"], default["status"],
                           _number(default.get("ratio")), by_name, words])  # fmt: skip
            continue
        peers = {s: r for s, r in solved.items()
                 if s.startswith(("SciPy", "Optimistix"))}  # fmt: skip
        if peers:
            peer = min(peers, key=lambda s: peers[s]["seconds"])
            if default["seconds"] > SLOW * peers[peer]["seconds"]:
                slow.append(_slower(default, peer, peers[peer], solved))
        lowest = min((r["f"] for r in solved.values() if math.isfinite(r["f"])),
                     default=math.nan)  # fmt: skip
        if default["f"] - lowest > 1e-3 * (abs(lowest) + abs(default["f"])) + 1e-6:
            minima.append(f"{problem} ({kind}: {default['f']:.4g}, {lowest:.4g})")
    lines = ["## What the default does not solve", ""]
    columns = ["problem", "kind", "n", "status", "ratio", "solved by", "why"]
    lines += measure.table(columns, failed) if failed else ["Nothing."]
    lines += ["", "### Failures of each solver", ""]
    for solver in sorted({r["solver"] for r in rows}):
        bad = sorted(f"{r['problem']} ({r['status']})" for r in rows
                     if r["solver"] == solver and not good(r))  # fmt: skip
        lines.append(f"- {solver}: {', '.join(bad) or 'none'}.")
    lines += [
        "", f"## Where the default takes {SLOW:g} times a peer's seconds", "",
        "The fastest peer of each. The ratio of seconds is that of calls times that of "
        "the seconds of a call; the cause is the larger of the two.", "",
    ]  # fmt: skip
    causes: dict[str, int] = {}
    for row in slow:
        causes[row[-1]] = causes.get(row[-1], 0) + 1
    lines += [f"- {cause}: {count} problems." for cause, count in causes.items()]
    # The fixed cost of a call is one line, not a hundred.
    shown = sorted((r for r in slow if r[-1] != FIXED), key=lambda r: -r[3] / r[5])
    columns = ["problem", "kind", "n", "default ms", "peer", "its ms", "calls ratio",
               "a call's cost, ratio", "best of banach, ms", "cause"]  # fmt: skip
    lines += ["", *measure.table(columns, shown)]
    lines += [
        "", "## Other minima", "",
        "Where another solver's certified answer has a lower value (the default's, the "
        f"lowest): {'; '.join(minima) or 'nowhere'}.", "",
    ]  # fmt: skip
    return "\n".join(lines)


FIXED = "the fixed cost of a call of bn.solve, under 1 ms in all"


def _slower(default, peer, theirs, solved):
    calls = default["unit"] / max(theirs["unit"], 1)
    each = (default["seconds"] / max(default["unit"], 1)) / (
        theirs["seconds"] / max(theirs["unit"], 1)
    )
    ours = {s: r for s, r in solved.items() if not s.startswith(("SciPy", "Optim"))}
    best = min(ours, key=lambda s: ours[s]["seconds"])
    run = default.get("run", default["seconds"])
    if default["seconds"] < 1e-3 or run < 0.3 * default["seconds"]:
        cause = FIXED
    elif default["label"].startswith("scipy:"):
        cause = "the default of this kind is SciPy's trust-constr, a loop in Python"
    elif default.get("tried"):
        cause = "relayed: the first default gave up, and its time is spent"
    elif calls > each:
        cause = "more calls"
    else:
        cause = "dearer calls"
    return [default["problem"], default["kind"], default["n"],
            1e3 * default["seconds"], peer, 1e3 * theirs["seconds"], calls, each,
            f"{best}, {1e3 * ours[best]['seconds']:.3g}", cause]  # fmt: skip


def _tables(rows, said):
    """Every problem: milliseconds (calls), or why not."""
    for name, given in said["sets"].items():
        for kind in KINDS:
            own = [r for r in rows if r["set"] == name and r["kind"] == kind]
            if not own:
                continue
            solvers = list(dict.fromkeys(r["solver"] for r in own))
            cells = {(r["problem"], r["solver"]): r for r in own}
            lines = []
            for g in given:
                p = g["problem"]
                if (p, "default") in cells:
                    shown = [_cell(cells.get((p, s))) for s in solvers]
                    lines.append([p, g["n"], *shown])
            more = "" if name != "large" else f": {KINDS[kind]}"
            yield "\n".join([
                f"## {TITLES[name]}{more}", "",
                "Warm milliseconds (calls), or why not.", "",
                *measure.table(["problem", "n", *solvers], lines), "",
            ])  # fmt: skip


def _cell(row):
    if row is None:
        return ""
    if good(row):
        return f"{1e3 * row['seconds']:.3g} ({row['unit']:.4g})"
    return row["status"]


def _numbers(rows, said):
    kept = ("problem kind set n solver status ratio seconds run first unit steps label "
            "own f").split()  # fmt: skip
    lines = []
    for r in rows:
        row = {k: _short(r[k]) for k in kept if r.get(k) is not None}
        lines.append(json.dumps(row, separators=(",", ":")))
    head = json.dumps({"machine": measure.machine(), "rule": said["rule"],
                       "command": "python -m benchmarks cutest"})  # fmt: skip
    body = ",\n".join(lines)
    NUMBERS.write_text(f'{head[:-1]},\n"rows": [\n{body}\n]}}\n', encoding="utf-8")


def _short(v):
    if not isinstance(v, float):
        return v
    return float(f"{v:.4g}") if math.isfinite(v) else None


def _median(values):
    return float(statistics.median(values)) if values else None


def _number(v):
    return "" if v is None else f"{float(v):.1e}"
