"""Every method of banach on eleven problems: the evidence for the defaults."""

import statistics

import banach as bn
from banach import catalogue, zoo
from banach.core.method import Refusal
from banach.doors import defaults
from benchmarks import data, measure

TOL = 1e-8
TIME_LIMIT = 10.0
REPEATS = 5
PATIENCE = 1.0  # a first run longer than this, compilation aside, is not repeated
PROBLEMS = (
    "logistic:breast_cancer logistic:digits softmax:iris ridge:diabetes "
    "poisson:generated huber:diabetes rosenbrock:10 lasso:diabetes "
    "elasticnet:diabetes simplex:digits"
).split()
LARGE = "logistic 20000 x 500"
QUICK = ["logistic:breast_cancer", "lasso:diabetes"]


def run(quick: bool = False) -> measure.Report:
    problems = {name: zoo.load(name) for name in (QUICK if quick else PROBLEMS)}
    if not quick:
        problems[LARGE] = bn.LogisticRegression(*data.conditioned(), 1.0)
    rows, notes = [], []
    for name, problem in problems.items():
        tried, default = contest(problem, "stationarity" if name == LARGE else None)
        rows += [[name, *row] for row in tried]
        notes.append(verdict(name, tried, default))
    return measure.Report(
        "defaults", "Every method on eleven problems",
        f"tol {TOL:g}, the check of the kind (for {LARGE} the gradient: its duality "
        f"gap is beyond float64 there), time limit {TIME_LIMIT:g} s; warm "
        f"milliseconds are medians of {REPEATS} alternating rounds (the first run "
        f"where it takes over {PATIENCE:g} s or is not certified). An asterisk "
        "marks the default.",
        ["problem", "method", "status", "warm ms", "compile s", "steps"],
        rows, notes=[f"- {note}" for note in notes],
    )  # fmt: skip


def contest(problem, check=None):
    """Rows of every applicable method, fastest certified first, and the default."""
    facts = problem.facts()
    default = defaults.default_method(problem, facts).label()
    first, warm = {}, {}
    for name, entry in catalogue.load_index().items():
        if entry["host"] or entry["family"] == "bridge":
            continue
        if isinstance(defaults.suggest(name, problem, facts), Refusal):
            continue
        first[name] = solve(problem, name, check)
        warm[name] = [first[name].seconds["run"]]
    quick = {
        name: lambda name=name: solve(problem, name, check)
        for name, result in first.items()
        if result.certified and result.seconds["run"] <= PATIENCE
    }
    warm |= measure.paired(quick, REPEATS)
    rows = [
        [
            f"{name} *" if name == default else name, result.status,
            1e3 * statistics.median(warm[name]), result.seconds["compile"],
            result.steps,
        ]
        for name, result in first.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda r: (r[1] != "certified", r[2])), default


def solve(problem, name, check):
    """One solve, as a user would call it."""
    return bn.solve(problem, name, check=check, tol=TOL, time_limit=TIME_LIMIT)


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
