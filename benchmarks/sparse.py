"""Sparse matrices beside the same ones dense, and beside scikit-learn.

    python -m benchmarks.sparse [--rows 20000] [--columns 5000] [--density 0.01]

Every run is a process of its own: it makes the data, states the model and solves it
cold. Shown are the CPU seconds of stating and solving (imports of the library are in
them), the peak memory of the process, and both as shares of the dense run's. Dense
arrays are made from the sparse ones before the clock starts; their memory counts, for
that is what dense data take.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

MODELS = ("lasso", "logistic")
FORMS = ("sparse", "dense", "sklearn")
TOL = 1e-6


def data(model: str, rows: int, columns: int, density: float) -> tuple[Any, Any]:
    """A random sparse matrix, and targets of a sparse model of it."""
    from scipy.sparse import random_array

    rng = np.random.default_rng(0)
    A = random_array((rows, columns), density=density, rng=rng, format="csr")
    beta = np.where(rng.random(columns) < 0.02, rng.normal(size=columns), 0)
    z = A @ beta
    if model == "lasso":
        return A, z + 0.1 * rng.normal(size=rows)
    return A, (rng.random(rows) < 1 / (1 + np.exp(-3 * z))).astype(int)


def ours(model: str, A: Any, y: Any) -> str:
    """State and solve it; what came of it."""
    import banach as bn

    problem = bn.Lasso(A, y, 20.0) if model == "lasso" else bn.LogisticRegression(A, y)
    r = bn.solve(problem, tol=TOL)
    return f"{r.status}, {r.steps} steps"


def theirs(model: str, A: Any, y: Any) -> str:
    """scikit-learn's estimator of the same objective, at its tightest usual tol."""
    import sklearn.linear_model as models

    if model == "lasso":
        made = models.Lasso(alpha=20.0 / len(y), fit_intercept=False, tol=1e-8)
    else:
        made = models.LogisticRegression(tol=1e-10, max_iter=10_000)
    made.fit(A, y)
    return f"{np.max(made.n_iter_)} iterations"


def one(model: str, form: str, sizes: list[Any]) -> dict[str, Any]:
    """Measure this process."""
    A, y = data(model, *sizes)
    A = A.toarray() if form == "dense" else A
    began = time.process_time()
    said = (theirs if form == "sklearn" else ours)(model, A, y)
    spent = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": spent, "memory": peak, "said": said}


def main() -> None:
    """Fresh processes, the forms in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=5_000)
    parser.add_argument("--density", type=float, default=0.01)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = [args.rows, args.columns, args.density]
    if args.one:
        print(json.dumps(one(*args.one, sizes)))
        return
    words = [f"--rows={args.rows}", f"--columns={args.columns}",
             f"--density={args.density}"]  # fmt: skip
    for model in MODELS:
        seen: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
        for _ in range(args.repeats):
            for form in FORMS:
                call = [sys.executable, "-m", "benchmarks.sparse", *words]
                out = subprocess.run(
                    [*call, "--one", model, form], capture_output=True, check=True
                )
                seen[form].append(json.loads(out.stdout.splitlines()[-1]))
        dense = {k: float(np.median([r[k] for r in seen["dense"]]))
                 for k in ("cpu", "memory")}  # fmt: skip
        for form, runs in seen.items():
            cpu, memory = (
                float(np.median([r[k] for r in runs])) for k in ("cpu", "memory")
            )
            print(
                f"{model:10}{form:9}{cpu:8.2f} s{cpu / dense['cpu']:7.3f}"
                f"{memory:9.0f} MB{memory / dense['memory']:7.3f}  {runs[-1]['said']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
