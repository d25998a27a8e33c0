"""Counts, not times: programs compiled, and how often an objective is traced."""

import jax.numpy as jnp
import numpy as np

import banach as bn
from banach import catalogue
from banach.engine import compile_cache
from benchmarks import measure

METHODS = [
    e["name"] for e in catalogue.load_index().values() if e["family"] == "smooth"
]


def run(quick: bool = False) -> measure.Report:
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((40, 5)), np.arange(40) % 2
    rows = []
    for name in METHODS[:3] if quick else METHODS:
        traces = []

        def f(x, a, traces=traces):
            traces.append(1)
            return jnp.sum(jnp.cosh(a * x)) + jnp.sum((x[1:] - x[:-1]) ** 2)

        def solve(problem, name=name, **options):
            return bn.solve(problem, name, check="stationarity", **options)

        compile_cache.clear()
        first = compiled(lambda: solve(stated(f, np.ones(5), 1.0), tol=1e-6))
        traced = len(traces)
        rows.append([
            name, traced, first,
            compiled(lambda: solve(stated(f, np.ones(5), 1.0), tol=1e-8)),
            compiled(lambda: solve(stated(f, np.full(5, 2.0), 0.5), tol=1e-6)),
            compiled(lambda: solve(stated(f, np.ones(5), 1.0), seed=3, max_steps=7)),
            compiled(lambda: solve(bn.LogisticRegression(A, y, 1.0))),
            compiled(lambda: solve(bn.LogisticRegression(-A, 1 - y, 2.0))),
        ])  # fmt: skip
    worst = max(max(row[3], row[4], row[5], row[7]) for row in rows)
    return measure.Report(
        "recompilation",
        "Recompilation and traces",
        "Kernels compiled by each solve in turn; `traces` counts the Python calls of "
        "the user's function by the first statement and solve.",
        ["method", "traces", "first", "new tol", "new data and start",
         "new seed and limit", "GLM", "GLM, new data and l2"],
        rows,
        [measure.Goal("kernels compiled for new values", float(worst), 0.0)],
    )  # fmt: skip


def stated(f, x0, a):
    return bn.Smooth(f, x0, (a,), convex=True, L=100.0)


def compiled(act) -> int:
    """Kernels compiled by act()."""
    before = compile_cache.COUNTS["kernel"]
    act()
    return compile_cache.COUNTS["kernel"] - before
