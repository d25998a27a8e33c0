"""Every method of banach on ten problems: the evidence for the default methods."""

import statistics

import banach as bn
from banach import catalogue, choose, zoo
from banach.core.method import Refusal
from benchmarks import measure

TOL = 1e-8
TIME_LIMIT = 10.0
REPEATS = 5
PATIENCE = 1.0  # a warm solve longer than this is timed once
PROBLEMS = (
    "logistic:breast_cancer logistic:digits softmax:iris ridge:diabetes "
    "poisson:generated huber:diabetes rosenbrock:10 lasso:diabetes "
    "elasticnet:diabetes simplex:digits"
).split()
QUICK = ["logistic:breast_cancer", "lasso:diabetes"]


def run(quick: bool = False) -> measure.Report:
    names = QUICK if quick else PROBLEMS
    rows, notes = [], []
    for name in names:
        tried, default = contest(zoo.load(name))
        rows += [[name, *row] for row in tried]
        notes.append(verdict(name, tried, default))
    return measure.Report(
        "defaults", "Every method on ten problems",
        f"tol {TOL:g}, the check of the kind, time limit {TIME_LIMIT:g} s; warm "
        f"milliseconds are medians of {REPEATS} (one run above {PATIENCE:g} s; without "
        "a certificate, the one run). An asterisk marks the default.",
        ["problem", "method", "status", "warm ms", "compile s", "steps"],
        rows, notes=[f"- {note}" for note in notes],
    )  # fmt: skip


def contest(problem):
    """Rows of every applicable method, fastest certified first, and the default."""
    facts = problem.facts()
    default = choose.default_method(problem, facts).label()
    rows = []
    for name, entry in catalogue.load_index().items():
        if entry["host"] or entry["family"] == "bridge":
            continue
        method = choose.suggest(name, problem, facts)
        if isinstance(method, Refusal):
            continue
        status, warm, compiled, steps = timed(problem, name)
        mark = f"{name} *" if name == default else name
        rows.append([mark, status, warm, compiled, steps])
    return sorted(rows, key=lambda r: (r[1] != "certified", r[2])), default


def timed(problem, name):
    """(status, warm milliseconds, compile seconds, steps) of one method."""

    def solve():
        return bn.solve(problem, name, tol=TOL, time_limit=TIME_LIMIT)

    first = solve()
    compiled = first.seconds["compile"]
    if not first.certified:
        return first.status, 1e3 * first.seconds["run"], compiled, first.steps
    seconds = [measure.clock(solve)]
    if seconds[0] <= PATIENCE:
        seconds += [measure.clock(solve) for _ in range(REPEATS - 1)]
    return first.status, 1e3 * statistics.median(seconds), compiled, first.steps


def verdict(name, rows, default) -> str:
    """The default against the fastest certified method."""
    best = rows[0]
    chosen = next(row for row in rows if row[0] == f"{default} *")
    if chosen[1] != "certified":
        return f"{name}: the default {default} ends {chosen[1]}; best {best[0]}."
    return (
        f"{name}: the default {default} takes {chosen[2]:.3g} ms, the fastest "
        f"({best[0].removesuffix(' *')}) {best[2]:.3g} ms, {chosen[2] / best[2]:.2f} "
        "times."
    )
