"""L2-regularised logistic regression on breast_cancer, 569 x 30."""

import statistics

import banach as bn
from benchmarks import data, measure, peers

TOL = 1e-8
GOAL = 0.6
OURS = "banach, default"


def run(quick: bool = False) -> measure.Report:
    A, y = data.breast_cancer()
    problem = bn.LogisticRegression(A, y, 1.0)
    return contest(
        "logistic_small", "Logistic regression, breast_cancer (569 x 30)",
        peers.Logistic(A, y, 1.0), problem, list(peers.ALL), GOAL, 7 if quick else 41,
    )  # fmt: skip


def contest(name, title, plain, problem, names, goal, rounds) -> measure.Report:
    """banach's default and the peers, each at the loosest tolerance that certifies."""

    def solve():
        return bn.solve(problem, check="stationarity", tol=TOL).x

    def judged(x):
        return bn.verify(problem, x, check="stationarity", tol=TOL)

    cold = {OURS: measure.clock(solve)}
    calls, own = {OURS: solve}, {}
    for peer in names:
        fun = peers.ALL[peer](plain)
        cold[peer] = measure.clock(lambda fun=fun: fun(1e-6))
        own[peer] = measure.loosest(fun, lambda x: judged(x).certified)
        if own[peer] is not None:
            calls[peer] = lambda fun=fun, tol=own[peer]: fun(tol)
    seconds = measure.paired(calls, rounds)
    certified = {n: judged(f()) for n, f in calls.items()}
    rows = []
    for n in [OURS, *names]:
        if n not in calls:
            rows.append([n, "never", None, None, None, cold[n]])
            continue
        rows.append([
            n, own.get(n, TOL), float(certified[n].certificate.ratio),
            1e3 * statistics.median(seconds[n]), measure.ratio(seconds, OURS, n),
            cold[n],
        ])  # fmt: skip
    rivals = {n: measure.ratio(seconds, OURS, n) for n in seconds if n != OURS}
    best = max(rivals, key=rivals.__getitem__)
    result = bn.solve(problem, check="stationarity", tol=TOL)
    return measure.Report(
        name,
        title,
        f"l2 = 1, free intercept, relative gradient {TOL:g}; {rounds} alternating "
        f"rounds; banach's default is {result.label}, {result.steps} steps.",
        [
            "solver",
            "its own tol",
            "certified ratio",
            "warm ms",
            "banach / it",
            "cold s",
        ],
        rows,
        [measure.Goal(f"warm time over the best peer ({best})", rivals[best], goal)],
    )
