"""A thousand small fits at once, and one after another."""

import numpy as np

import banach as bn
from benchmarks import measure

TOL = 1e-6
SAMPLE = 20
L2 = 1.0


def run(quick: bool = False) -> measure.Report:
    count = 100 if quick else 1000
    sets = [generated(seed) for seed in range(count)]
    problems = [bn.LogisticRegression(A, y, L2) for A, y in sets]

    def certified(answers):
        pairs = zip(problems, answers, strict=True)
        return sum(bn.verify(p, x, tol=TOL).certified for p, x in pairs)

    def sample_good(tol):
        pairs = zip(problems[:SAMPLE], sets[:SAMPLE], strict=True)
        return all(bn.verify(p, peer(*s, tol), tol=TOL).certified for p, s in pairs)

    own = measure.loosest(lambda tol: tol, sample_good)
    if own is None:
        raise RuntimeError("no tolerance of LogisticRegression(lbfgs) certifies")
    contenders = {
        "bn.solve_many": lambda: [r.x for r in bn.solve_many(problems, tol=TOL)],
        "bn.solve in a loop": lambda: [bn.solve(p, tol=TOL).x for p in problems],
        "scikit-learn lbfgs in a loop": lambda: [peer(*s, own) for s in sets],
    }
    rows = []
    for name, fun in contenders.items():
        answers: list = []
        cold = measure.clock(lambda fun=fun, out=answers: out.extend(fun()))
        warm = measure.clock(fun)
        rows.append([
            name, own if "scikit" in name else TOL, certified(answers), count, cold,
            warm, 1e3 * warm / count,
        ])  # fmt: skip
    return measure.Report(
        "many", f"{count} logistic fits, 50 x 5",
        f"l2 = {L2:g}, free intercept, gap at {TOL:g}; scikit-learn at the loosest own "
        f"tolerance that certifies the first {SAMPLE}. The first call compiles.",
        ["solver", "its own tol", "certified", "of", "first s", "second s", "ms a fit"],
        rows,
    )  # fmt: skip


def generated(seed: int):
    """50 x 5, two classes."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((50, 5))
    y = (A @ rng.standard_normal(5) + rng.standard_normal(50) > 0).astype(int)
    return A, y


def peer(A, y, tol):
    """scikit-learn's L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(solver="lbfgs", C=1 / L2, tol=tol, max_iter=10_000)
    fit.fit(A, y)
    return np.append(fit.coef_.ravel(), fit.intercept_)
