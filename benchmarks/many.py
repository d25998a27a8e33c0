"""A thousand small logistic fits: solve_many against loops."""

import numpy as np

import banach as bn
from benchmarks import measure

TOL = 1e-8


def run(quick: bool = False) -> measure.Report:
    from sklearn.linear_model import LogisticRegression

    count, n, p = (50 if quick else 1000), 100, 10
    rng = np.random.default_rng(0)
    sets = []
    for _ in range(count):
        A = rng.standard_normal((n, p))
        y = (rng.random(n) < 1 / (1 + np.exp(-A @ rng.standard_normal(p)))).astype(int)
        sets.append((A, y))
    options = {"check": "stationarity", "tol": TOL}

    def state():
        return [bn.LogisticRegression(A, y, 1.0) for A, y in sets]

    problems = state()

    def lanes():
        return bn.solve_many(problems, **options)

    def loop():
        return [bn.solve(p, **options).x for p in problems]

    def anew():
        return [bn.solve(p, **options).x for p in state()]

    own = measure.loosest(
        lambda tol: [fit(*sets[i], tol, LogisticRegression) for i in range(20)],
        lambda xs: all(
            bn.verify(p, x, **options).certified
            for p, x in zip(problems, xs, strict=False)
        ),
    )

    def peer():
        return [fit(A, y, own, LogisticRegression) for A, y in sets]

    cold = measure.clock(lanes)
    contenders = {
        "bn.solve_many": lanes,
        "loop of bn.solve, same objects": loop,
        "loop of bn.solve, problems stated anew": anew,
        "loop of scikit-learn newton-cholesky": peer,
    }
    seconds = measure.paired(contenders, 2 if quick else 5)
    certified = sum(r.certified for r in lanes())
    judged = [bn.verify(p, x, **options).certified
              for p, x in zip(problems, peer(), strict=True)]  # fmt: skip
    rows = [
        [name, 1e3 * float(np.median(v)), 1e6 * float(np.median(v)) / count,
         measure.ratio(seconds, "bn.solve_many", name)]
        for name, v in seconds.items()
    ]  # fmt: skip
    return measure.Report(
        "many",
        f"{count} logistic fits of {n} x {p}",
        f"Relative gradient {TOL:g}. solve_many certified {certified} of {count} (its "
        f"first call, with compilation: {cold:.2f} s); the same check certified "
        f"{sum(judged)} of scikit-learn's, at its tol {own:g}.",
        ["way", "ms in all", "us a fit", "solve_many / it"],
        rows,
    )


def fit(A, y, tol, kind):
    """scikit-learn's coefficients and intercept."""
    done = kind(solver="newton-cholesky", C=1.0, tol=tol, max_iter=1000).fit(A, y)
    return np.append(done.coef_.ravel(), done.intercept_)
