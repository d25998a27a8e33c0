"""Lasso beside scikit-learn's coordinate descent (and skglm's, where installed)."""

import importlib.util
import statistics
import warnings

import numpy as np

import banach as bn
from benchmarks import data, measure

TOLS = (1e-6, 1e-9)
OURS = "banach, default"


def run(quick: bool = False) -> measure.Report:
    from sklearn.datasets import load_diabetes

    A, b = load_diabetes(return_X_y=True)
    cases = [("diabetes", A, b - b.mean())]
    cases.append(("500 x 2000", *data.sparse_truth(*((100, 300) if quick else ()))))
    rows = []
    for name, A, b in cases:
        lam = 0.1 * float(np.max(np.abs(A.T @ b)))
        problem = bn.Lasso(A, b, lam)
        for tol in TOLS:
            rows += duel(f"{name}, tol {tol:g}", problem, A, b, lam, tol, quick)
    absent = [] if importlib.util.find_spec("skglm") else ["skglm is not installed."]
    return measure.Report(
        "lasso",
        "Lasso",
        "lam = 0.1 of the smallest that gives zero, no intercept; relative duality "
        "gap; each peer at the loosest tolerance of its own that banach's check "
        "certifies.",
        ["problem", "solver", "own tol", "certified ratio", "warm ms", "banach / it"],
        rows,
        notes=absent,
    )


def duel(name, problem, A, b, lam, tol, quick) -> list[list]:
    def solve():
        return bn.solve(problem, tol=tol, time_limit=60).x

    def judged(x):
        return bn.verify(problem, x, tol=tol)

    result = bn.solve(problem, tol=tol, time_limit=60)
    rounds = 3 if quick or result.seconds["run"] > 1 else 15
    rows = []
    for peer, make in PEERS.items():
        fun = make(A, b, lam)
        if fun is None:
            continue
        own = measure.loosest(fun, lambda x: judged(x).certified)
        if own is None:
            rows.append([name, peer, "never certified", None, None, None])
            continue
        pair = {OURS: solve, peer: lambda fun=fun, own=own: fun(own)}
        seconds = measure.paired(pair, rounds)
        rows.append([name, peer, own, float(judged(fun(own)).certificate.ratio),
                     1e3 * statistics.median(seconds[peer]),
                     measure.ratio(seconds, OURS, peer)])  # fmt: skip
    ours = statistics.median(measure.clock(solve) for _ in range(rounds))
    said = f"{OURS} ({result.label}, {result.steps} steps, {result.status})"
    ratio = float(result.certificate.ratio)
    return [[name, said, tol, ratio, 1e3 * ours, 1.0], *rows]


def sklearn_lasso(A, b, lam):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    def solve(tol):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = Lasso(lam / len(A), fit_intercept=False, tol=tol, max_iter=100_000)
            return fit.fit(A, b).coef_

    return solve


def skglm_lasso(A, b, lam):
    if importlib.util.find_spec("skglm") is None:
        return None
    from skglm import Lasso

    def solve(tol):
        return Lasso(lam / len(A), fit_intercept=False, tol=tol).fit(A, b).coef_

    return solve


PEERS = {"scikit-learn Lasso": sklearn_lasso, "skglm Lasso": skglm_lasso}
