"""A Lasso stated anew against the same object: what a new object costs."""

import numpy as np

import banach as bn
from benchmarks import measure


def run(quick: bool = False) -> measure.Report:
    n, p = (200, 400) if quick else (1000, 2000)
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, p))
    b = A @ (rng.standard_normal(p) * (rng.random(p) < 0.02)) + rng.standard_normal(n)
    lam = 0.1 * float(np.abs(A.T @ b).max())
    kept = bn.Lasso(A, b, lam)
    turn = iter(range(10**9))

    def other():
        """The same matrix with targets that no problem has had."""
        return bn.Lasso(A, b + 1e-3 * next(turn), lam)

    for problem in (kept, other()):
        assert bn.solve(problem).certified
    contenders = {
        "the same object": lambda: bn.solve(kept),
        "the same data, stated anew": lambda: bn.solve(bn.Lasso(A, b, lam)),
        "other targets": lambda: bn.solve(other()),
    }
    seconds = measure.paired(contenders, 5 if quick else 25)
    base = np.array(seconds["the same object"])
    rows = [
        [name, 1e3 * float(np.median(v)), float(np.median(np.array(v) / base))]
        for name, v in seconds.items()
    ]
    return measure.Report(
        "stated_anew",
        "A Lasso stated anew",
        f"{n} x {p}, warm; the default call on the same object, on a new object of the "
        "same arrays, and on one with other targets, in turns.",
        ["problem", "ms", "over the same object"],
        rows,
        [measure.Goal("the same data, stated anew", rows[1][2], 1.3)],
    )
