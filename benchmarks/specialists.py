"""Sparse and large linear models beside skglm, celer and scikit-learn.

    python -m pip install -e ".[sparse]"
    python -m benchmarks specialists [--quick]
    python -m benchmarks.specialists JOB...     # these alone, nothing written

All contenders of a job take turns in one process, after one call each. `same`: banach
solves a problem that it has solved; `anew`: it states the problem from its arrays each
time, as its peers always do. Each peer runs at the loosest tolerance of its own whose
answer banach's check certifies at the job's; so do ours. A full run writes
SPECIALISTS.md beside this file.
"""

import statistics
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import banach as bn
from benchmarks import data, measure

PAGE = Path(__file__).parent / "SPECIALISTS.md"
SAME, ANEW = "banach, same", "banach, anew"


@dataclass(frozen=True)
class Job:
    """A model of some data, its peers, and what banach may take of their time."""

    title: str
    tol: float
    state: Callable[[], Any]
    # A peer's name to a function of its own tolerance that answers the coefficients.
    peers: dict[str, Callable[[float], Any]]
    # The peer that the goals are about, with the goals of `same` and `anew`.
    over: str
    goals: dict[str, float]
    solve: Callable[[Any, float], Any] | None = None
    judge: Callable[[Any], bool] | None = None
    rounds: int = 15


# Peers --------------------------------------------------------------------------------


def quiet(fit: Callable[[], Any]) -> Any:
    """A fit without its warnings: the check says what they would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit()


def lasso_peers(A, b, lam):
    """skglm and celer; their alpha is lam / n."""
    import celer
    import skglm

    given = {"alpha": lam / A.shape[0], "fit_intercept": False, "max_iter": 1000}
    A = A if hasattr(A, "tocsc") else np.asfortranarray(A)
    return {
        "skglm": lambda tol: quiet(
            lambda: skglm.Lasso(tol=tol, **given).fit(A, b).coef_
        ),
        "celer": lambda tol: quiet(
            lambda: celer.Lasso(tol=tol, **given).fit(A, b).coef_
        ),
    }


def sparse_logistic_peers(A, y, lam):
    """skglm, whose alpha is lam / n, and celer, whose C is 1 / lam."""
    import celer
    import skglm

    sign = np.where(y > 0, 1.0, -1.0)
    alpha = lam / A.shape[0]
    return {
        "skglm": lambda tol: quiet(
            lambda: np.ravel(
                skglm.SparseLogisticRegression(
                    alpha, tol=tol, max_iter=1000, fit_intercept=False
                )
                .fit(A, sign)
                .coef_
            )
        ),
        "celer": lambda tol: quiet(
            lambda: np.ravel(
                celer.LogisticRegression(1 / lam, tol=tol, fit_intercept=False)
                .fit(A, sign)
                .coef_
            )
        ),
    }


def scikit_logistic(A, y, lam):
    """scikit-learn's fastest solvers of ridge logistic regression."""
    from sklearn.linear_model import LogisticRegression

    def fit(solver):
        def at(tol):
            model = LogisticRegression(
                C=1 / lam, fit_intercept=False, solver=solver, tol=tol, max_iter=1000
            )
            return quiet(lambda: model.fit(A, y).coef_[0])

        return at

    return {f"scikit-learn {s}": fit(s) for s in ("newton-cholesky", "lbfgs")}


# Jobs ---------------------------------------------------------------------------------


def lasso(quick: bool) -> Job:
    A, b = data.autoregressive(*((200, 500, 0.7, 10) if quick else ()))
    lam = 0.05 * float(np.max(np.abs(A.T @ b)))
    return Job(
        f"Lasso, {A.shape[0]} x {A.shape[1]}, AR(0.7), 0.05 lambda_max", 1e-8,
        lambda: bn.Lasso(A, b, lam), lasso_peers(A, b, lam), "skglm",
        {SAME: 1.0, ANEW: 1.3},
    )  # fmt: skip


def path(quick: bool) -> Job:
    """Fifty weights from lambda_max to 0.01 of it."""
    import celer
    import skglm

    A, b = data.autoregressive(*((200, 500, 0.7, 10) if quick else ()))
    lam = float(np.max(np.abs(A.T @ b)))
    weights = lam * np.geomspace(1, 0.01, 50)
    F = np.asfortranarray(A)

    def skglm_path(tol):
        model = skglm.Lasso(alpha=1.0, fit_intercept=False, tol=tol)
        return quiet(lambda: model.path(F, b, weights / len(b))[1])

    def celer_path(tol):
        return quiet(
            lambda: celer.celer_path(F, b, "lasso", alphas=weights / len(b), tol=tol)[1]
        )

    def judge(coefs):
        for weight, c in zip(weights, np.asarray(coefs).T, strict=True):
            one = bn.Lasso(A, b, float(weight))
            if not bn.verify(one, c, tol=1e-6).certified:
                return False
        return True

    def ours(problem, tol):
        out = bn.path(problem, multiples=weights / lam, tol=tol)
        return np.stack([r.x for r in out.results], 1)

    return Job(
        f"Lasso path of 50, {A.shape[0]} x {A.shape[1]}, to 0.01 lambda_max", 1e-6,
        lambda: bn.Lasso(A, b, lam),
        {"skglm": skglm_path, "celer": celer_path}, "skglm", {ANEW: 1.0},
        ours, judge, 5,
    )  # fmt: skip


def sparse_lasso(quick: bool) -> Job:
    A, b = data.sparse_regression(*((500, 1000, 0.01) if quick else ()))
    lam = 0.05 * float(np.max(np.abs(A.T @ b)))
    return Job(
        f"sparse Lasso, {A.shape[0]} x {A.shape[1]}, 0.05 lambda_max", 1e-8,
        lambda: bn.Lasso(A, b, lam), lasso_peers(A, b, lam), "celer",
        {SAME: 1.0, ANEW: 1.0}, rounds=7,
    )  # fmt: skip


def sparse_logistic(quick: bool) -> Job:
    A, b = data.sparse_regression(*((500, 1000, 0.01) if quick else ()))
    y = (b > np.median(b)).astype(int)
    lam = 0.05 * float(np.max(np.abs(A.T @ (y - 0.5))))
    return Job(
        f"sparse l1 logistic, {A.shape[0]} x {A.shape[1]}, 0.05 lambda_max", 1e-8,
        lambda: bn.SparseLogisticRegression(A, y, lam),
        sparse_logistic_peers(A, y, lam), "celer", {SAME: 1.0, ANEW: 1.0}, rounds=7,
    )  # fmt: skip


def logistic(quick: bool) -> Job:
    return _ridge(*((2000, 50) if quick else (20_000, 500)), 0.3, 0.4)


def tall_logistic(quick: bool) -> Job:
    return _ridge(*((5000, 20) if quick else (128_000, 50)), 0.5, 0.5)


def _ridge(n: int, p: int, same: float, anew: float) -> Job:
    A, y = data.conditioned(n, p)
    return Job(
        f"ridge logistic, {n} x {p}, condition 1e4", 1e-8,
        lambda: bn.LogisticRegression(A, y, 1.0, intercept=False),
        scikit_logistic(A, y, 1.0), "scikit-learn newton-cholesky",
        {SAME: same, ANEW: anew}, rounds=7,
    )  # fmt: skip


JOBS = {
    f.__name__: f
    for f in (lasso, path, sparse_lasso, sparse_logistic, logistic, tall_logistic)
}


# The contest --------------------------------------------------------------------------


def contest(job: Job, quick: bool) -> tuple[list[list], list[measure.Goal]]:
    """Rows of a job, and its goals."""
    problem = job.state()

    def good(x):
        if job.judge is not None:
            return job.judge(x)
        return bn.verify(problem, np.asarray(x), tol=job.tol).certified

    def solve(problem):
        if job.solve is not None:
            return job.solve(problem, job.tol)
        result = bn.solve(problem, tol=job.tol)
        if not result.certified:
            raise AssertionError(f"{job.title}: {result}")
        return result.x

    runs: dict[str, Callable[[], Any]] = {}
    if SAME in job.goals:
        runs[SAME] = lambda: solve(problem)
    runs[ANEW] = lambda: solve(job.state())
    own = {}
    for name, fit in job.peers.items():
        tol = measure.loosest(fit, good)
        own[name] = tol
        if tol is not None:
            runs[name] = lambda fit=fit, tol=tol: fit(tol)
    seconds = measure.paired(runs, 3 if quick else job.rounds)
    rows, goals = [], []
    for name in [*runs, *(n for n, tol in own.items() if tol is None)]:
        if name not in runs:
            rows.append([job.title, name, "never certified", None, None])
            continue
        time = 1e3 * statistics.median(seconds[name])
        ratio = measure.ratio(seconds, name, job.over) if job.over in runs else None
        rows.append([job.title, name, own.get(name, job.tol), time, ratio])
        if name in job.goals and ratio is not None:
            goals.append(
                measure.Goal(
                    f"{job.title}: {name} over {job.over}", ratio, job.goals[name]
                )
            )
    return rows, goals


def run(quick: bool = False, names=tuple(JOBS)) -> measure.Report:
    rows, goals = [], []
    for name in names:
        more, met = contest(JOBS[name](quick), quick)
        rows += more
        goals += met
        for row in more:
            print(row, file=sys.stderr, flush=True)
    report = measure.Report(
        "specialists", "Linear models beside their specialists",
        "Warm, in turns in one process; no intercept. A relative duality gap as "
        "asked, certified by banach's check for every contender.",
        ["model", "solver", "own tol", "ms", "over the peer named in the goals"],
        rows, goals,
    )  # fmt: skip
    if not quick and set(names) == set(JOBS):
        machine = measure.machine()
        head = f"{machine['cpu']}, {machine['cores']} cores, {machine['date']}."
        command = "    python -m benchmarks specialists\n"
        PAGE.write_text(
            f"# Beside the specialists\n\n{command}\n{head}\n\n{report.markdown()}",
            encoding="utf-8",
        )
    return report


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    asked = [a for a in sys.argv[1:] if a != "--quick"] or list(JOBS)
    print(run(quick, tuple(asked)).markdown())
