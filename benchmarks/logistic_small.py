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
        peers.Logistic(A, y, 1.0), problem, list(peers.ALL), GOAL, 11 if quick else 101,
    )  # fmt: skip


def contest(name, title, plain, problem, names, goal, rounds) -> measure.Report:
    """banach's default and the peers, each at the loosest tolerance that certifies.

    Each peer alternates with banach alone, so that no third library's threads are
    still spinning when a clock runs. The goal is over the peers in `peers.NAMED`.
    """

    def solve():
        return bn.solve(problem, check="stationarity", tol=TOL).x

    def judged(x):
        return bn.verify(problem, x, check="stationarity", tol=TOL)

    def fresh():
        """With the problem stated anew: what one call from raw data costs."""
        again = bn.LogisticRegression(plain.A, plain.y, plain.l2)
        return bn.solve(again, check="stationarity", tol=TOL).x

    cold = measure.clock(solve)
    result = bn.solve(problem, check="stationarity", tol=TOL)
    alone = measure.paired({OURS: solve, "anew": fresh}, rounds)
    rows = [[OURS, TOL, float(result.certificate.ratio),
             1e3 * statistics.median(alone[OURS]), 1.0, cold],
            ["banach, problem stated anew", TOL, float(result.certificate.ratio),
             1e3 * statistics.median(alone["anew"]),
             measure.ratio(alone, OURS, "anew"), None]]  # fmt: skip
    ratios = {}
    for peer in names:
        fun = peers.ALL[peer](plain)
        cold = measure.clock(lambda fun=fun: fun(1e-6))
        own = measure.loosest(fun, lambda x: judged(x).certified)
        if own is None:
            rows.append([peer, "never certified", None, None, None, cold])
            continue
        pair = {OURS: solve, peer: lambda fun=fun, tol=own: fun(tol)}
        seconds = measure.paired(pair, rounds)
        ratios[peer] = measure.ratio(seconds, OURS, peer)
        reached = float(judged(fun(own)).certificate.ratio)
        middle = 1e3 * statistics.median(seconds[peer])
        rows.append([peer, own, reached, middle, ratios[peer], cold])
    named = {n: r for n, r in ratios.items() if n in peers.NAMED}
    best = max(named, key=named.__getitem__)
    goals = [measure.Goal(f"warm time over the best named peer ({best})",
                          named[best], goal),
             measure.Goal("certified ratio of the default",
                          float(result.certificate.ratio), TOL)]  # fmt: skip
    return measure.Report(
        name,
        title,
        f"l2 = {plain.l2:g}, free intercept, relative gradient {TOL:g}; {rounds} "
        f"alternating rounds a peer; banach's default is {result.label}, "
        f"{result.steps} steps.",
        ["solver", "own tol", "certified ratio", "warm ms", "banach / it", "cold s"],
        rows,
        goals,
    )
