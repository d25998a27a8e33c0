"""L2-regularised logistic regression on generated data, 20000 x 500."""

import banach as bn
from benchmarks import data, logistic_small, measure, peers

GOAL = 0.8


def run(quick: bool = False) -> measure.Report:
    A, y = data.conditioned(*((2000, 100) if quick else (20_000, 500)))
    problem = bn.LogisticRegression(A, y, 1.0)
    return logistic_small.contest(
        "logistic_large", f"Logistic regression, generated ({len(A)} x {A.shape[1]})",
        peers.Logistic(A, y, 1.0), problem, ["scikit-learn newton-cholesky"], GOAL, 7,
    )  # fmt: skip
