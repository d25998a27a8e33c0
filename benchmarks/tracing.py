"""What the trace of a run costs: 256 rows against none."""

import statistics

import numpy as np

import banach as bn
from benchmarks import measure

GOAL = 1.05
ROWS = 256
NEVER = bn.Absolute(1e-300)
METHODS = ["accelerated_gradient", "gradient_descent", "lbfgs"]
GOAL_OF = METHODS[0]


def run(quick: bool = False) -> measure.Report:
    n, steps, rounds = 1000, 200 if quick else 1000, 7 if quick else 21
    problem = quadratic(n)
    rows, goals = [], []
    for name in METHODS:
        walls, inner = timed(problem, name, steps, rounds)
        whole = measure.ratio(walls, "traced", "plain")
        loop = measure.ratio(inner, "traced", "plain")
        rows.append([
            name, steps, 1e3 * statistics.median(walls["plain"]),
            1e3 * statistics.median(walls["traced"]), whole, loop,
        ])  # fmt: skip
        if name == GOAL_OF:
            goals.append(measure.Goal("solve with a trace over without", whole, GOAL))
            goals.append(measure.Goal("the same of seconds['run']", loop, GOAL))
    return measure.Report(
        "tracing", "Tracing",
        f"A dense convex quadratic of {n} variables, condition 1e6, a tolerance that "
        f"is never reached; {rounds} alternating rounds.",
        ["method", "steps", "rows=0 ms", f"rows={ROWS} ms", "ratio", "ratio, run only"],
        rows, goals,
    )  # fmt: skip


def quadratic(n: int, seed: int = 0):
    """Half x'Hx - b'x with eigenvalues from 1e-6 to 1."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (basis * np.logspace(-6, 0, n)) @ basis.T
    b = rng.standard_normal(n)
    return bn.Smooth(
        lambda x, H, b: x @ (H @ x) / 2 - b @ x, np.zeros(n), (H, b), convex=True, L=1.0
    )


def timed(problem, name, steps, rounds):
    """Wall seconds and result.seconds["run"] of paired solves."""
    inner: dict[str, list[float]] = {"plain": [], "traced": []}

    def solve(label, rows):
        result = bn.solve(
            problem, name, check="stationarity", tol=NEVER, max_steps=steps, rows=rows
        )
        if result.steps != steps:
            raise RuntimeError(f"{name} stopped at {result.steps}: {result.status}")
        inner[label].append(result.seconds["run"])

    walls = measure.paired(
        {"plain": lambda: solve("plain", 0), "traced": lambda: solve("traced", ROWS)},
        rounds,
    )
    return walls, {k: v[1:] for k, v in inner.items()}
