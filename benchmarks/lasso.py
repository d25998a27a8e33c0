"""The Lasso against coordinate descent."""

import statistics
import warnings

import numpy as np

import banach as bn
from benchmarks import data, measure

TOLS = (1e-6, 1e-9)
OURS, THEIRS = "banach, default", "scikit-learn Lasso"


def run(quick: bool = False) -> measure.Report:
    rounds, rows = 5 if quick else 15, []
    sparse = data.sparse_truth(*((100, 400, 10) if quick else ()))
    for title, (A, b), intercept in [
        ("diabetes", diabetes(), True),
        (f"generated {sparse[0].shape[0]} x {sparse[0].shape[1]}", sparse, False),
    ]:
        for tol in TOLS:
            rows += [
                [title, tol, *row] for row in contest(A, b, intercept, tol, rounds)
            ]
    return measure.Report(
        "lasso", "Lasso",
        f"lam = 0.1 max|A'b|, b centred where an intercept is free; certified by the "
        f"duality gap; {rounds} alternating rounds. banach has no coordinate descent. "
        "At the second tolerance nothing is left to compile.",
        [
            "data", "tol", "solver", "its own tol", "status", "certified ratio",
            "warm ms", "banach / it", "cold s",
        ],
        rows,
    )  # fmt: skip


def diabetes():
    """442 x 10."""
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True)


def contest(A, b, intercept, tol, rounds):
    """Rows of both solvers at one tolerance of the gap."""
    lam = 0.1 * np.max(np.abs(A.T @ (b - b.mean() if intercept else b)))
    problem = bn.Lasso(A, b, lam, intercept=intercept)
    peer = coordinate_descent(A, b, lam / len(b), intercept)

    def solve():
        return bn.solve(problem, check="gap", tol=tol)

    def judged(x):
        return bn.verify(problem, x, check="gap", tol=tol)

    cold = {OURS: measure.clock(solve), THEIRS: measure.clock(lambda: peer(1e-4))}
    own = measure.loosest(peer, lambda x: judged(x).certified)
    calls = {OURS: lambda: solve().x}
    if own is not None:
        calls[THEIRS] = lambda: peer(own)
    seconds = measure.paired(calls, rounds)
    rows = []
    for name, its in [(OURS, tol), (THEIRS, own)]:
        if name not in calls:
            rows.append([name, "never", "not certified", None, None, None, cold[name]])
            continue
        verdict = judged(calls[name]())
        label = f"banach {solve().label}" if name == OURS else name
        rows.append([
            label, its, "certified" if verdict.certified else "not certified",
            float(verdict.certificate.ratio),
            1e3 * statistics.median(seconds[name]),
            measure.ratio(seconds, OURS, name), cold[name],
        ])  # fmt: skip
    return rows


def coordinate_descent(A, b, alpha, intercept):
    """scikit-learn's solver as a function of its own tolerance."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    A = np.asfortranarray(A)

    def solve(tol):
        fit = Lasso(alpha=alpha, fit_intercept=intercept, tol=tol, max_iter=100_000)
        with warnings.catch_warnings():
            # Too tight a tolerance is part of the search for the loosest.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit.fit(A, b)
        return np.append(fit.coef_, fit.intercept_) if intercept else fit.coef_

    return solve
