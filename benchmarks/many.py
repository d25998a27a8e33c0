"""Ten thousand small logistic fits: solve_many against loops."""

import resource
import time

import numpy as np

import banach as bn
from benchmarks import measure

TOL = 1e-8


def run(quick: bool = False) -> measure.Report:
    from sklearn.linear_model import LogisticRegression

    count, n, p = (500 if quick else 10_000), 100, 10
    looped = count // 10
    rng = np.random.default_rng(0)
    A = rng.standard_normal((count, n, p))
    odds = np.exp(-np.einsum("lnp,lp->ln", A, rng.standard_normal((count, p))))
    Y = (rng.random((count, n)) < 1 / (1 + odds)).astype(int)
    options = {"check": "stationarity", "tol": TOL}

    def stacked():
        """Stating, solving, reading statuses and x."""
        out = bn.solve_many(bn.LogisticRegression.stack(A, Y, 1.0), **options)
        return out.status, out.x

    def listed():
        problems = [bn.LogisticRegression(a, y, 1.0) for a, y in zip(A, Y, strict=True)]
        out = bn.solve_many(problems, **options)
        return out.status, out.x

    def loop():
        return [
            bn.solve(bn.LogisticRegression(A[i], Y[i], 1.0), **options).x
            for i in range(looped)
        ]

    stack = bn.LogisticRegression.stack(A, Y, 1.0)
    own = measure.loosest(
        lambda tol: [fit(A[i], Y[i], tol, LogisticRegression) for i in range(20)],
        lambda xs: all(
            bn.verify(stack[i], x, **options).certified for i, x in enumerate(xs)
        ),
    )

    def peer():
        return [fit(A[i], Y[i], own, LogisticRegression) for i in range(count)]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = time.process_time()
    cold = measure.clock(stacked)
    first = time.process_time() - first
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    done = bn.solve_many(stack, **options)
    contenders = {
        "bn.solve_many, stacked": stacked,
        "bn.solve_many, a list": listed,
        "loop of scikit-learn newton-cholesky": peer,
    }
    seconds = measure.paired(contenders, 2 if quick else 3)
    each = measure.clock(loop) / looped
    judged = [bn.verify(stack[i], fit(A[i], Y[i], own, LogisticRegression), **options)
              .certified for i in range(looped)]  # fmt: skip
    peers = float(np.median(seconds["loop of scikit-learn newton-cholesky"]))
    rows = [
        [name, 1e3 * float(np.median(v)), 1e6 * float(np.median(v)) / count,
         measure.ratio(seconds, "bn.solve_many, stacked", name)]
        for name, v in seconds.items()
    ]  # fmt: skip
    warm = float(np.median(seconds["bn.solve_many, stacked"]))
    rows.append(
        ["loop of bn.solve, stated anew", None, 1e6 * each, warm / count / each]
    )
    return measure.Report(
        "many",
        f"{count} logistic fits of {n} x {p}",
        f"Relative gradient {TOL:g}; stating, solving and reading statuses and x. "
        f"solve_many certified {int(done.certified.sum())} of {count}; the same check "
        f"certified {sum(judged)} of {looped} of scikit-learn's, at its tol {own:g}. "
        f"The first stacked call, with compilation: {cold:.2f} s ({first:.2f} of CPU), "
        f"and {memory:.0f} MB beside the {A.nbytes / 2**20:.0f} of A.",
        ["way", "ms in all", "us a fit", "solve_many, stacked / it"],
        rows,
        [
            measure.Goal("first stacked call / scikit-learn", cold / peers, 0.3),
            measure.Goal("stacked, compiled before / scikit-learn", warm / peers, 0.15),
        ],
    )


def fit(A, y, tol, kind):
    """scikit-learn's coefficients and intercept."""
    done = kind(solver="newton-cholesky", C=1.0, tol=tol, max_iter=1000).fit(A, y)
    return np.append(done.coef_.ravel(), done.intercept_)
