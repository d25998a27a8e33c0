"""What the trace costs: rows=256 against rows=0 on 1,000 variables."""

import statistics

import jax.numpy as jnp
import numpy as np

import banach as bn
from benchmarks import measure

SIZE = 1000


def run(quick: bool = False) -> measure.Report:
    rounds = 7 if quick else 41
    rng = np.random.default_rng(0)
    x0 = rng.standard_normal(SIZE)
    rosenbrock = bn.Smooth(
        lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), x0
    )
    A = rng.standard_normal((2 * SIZE, SIZE))
    y = np.where(A @ rng.standard_normal(SIZE) > 0, 1, -1)
    logistic = bn.LogisticRegression(A, y, 1.0)
    cases = [
        ("Rosenbrock, 1,000 variables, lbfgs", rosenbrock, "lbfgs"),
        ("logistic, 2000 x 1000, lbfgs", logistic, "lbfgs"),
        ("logistic, 2000 x 1000, accelerated_gradient", logistic,
         "accelerated_gradient"),
    ]  # fmt: skip
    rows, goals = [], []
    for name, problem, method in cases:

        def solve(rows, problem=problem, method=method):
            return bn.solve(
                problem, method, check="stationarity", tol=1e-8, rows=rows
            ).steps

        steps = solve(0)
        seconds = measure.paired(
            {"on": lambda f=solve: f(256), "off": lambda f=solve: f(0)}, rounds
        )
        share = measure.ratio(seconds, "on", "off") - 1
        on, off = (1e3 * statistics.median(seconds[k]) for k in ("on", "off"))
        rows.append([name, steps, on, off, 100 * share])
        goals.append(measure.Goal(f"{name}: overhead, %", 100 * share, 5.0))
    return measure.Report(
        "tracing",
        "Tracing",
        f"rows=256 against rows=0, {rounds} alternating rounds.",
        ["run", "steps", "on, ms", "off, ms", "overhead %"],
        rows,
        goals,
    )
