"""What compiles again, and how often a user's Python function is called."""

import jax.numpy as jnp
import numpy as np

import banach as bn
from banach import catalogue, choose
from banach.core import programs
from banach.core.method import Refusal
from benchmarks import measure

TRACES = 1  # a float64 function; a float32 one is traced in both precisions


def run(quick: bool = False) -> measure.Report:
    rows = [["kernels compiled", what, n] for what, n in kernels()]
    again = max(n for _, what, n in rows if not what.startswith("first"))
    counts = traces(2 if quick else None)
    rows += [["calls of the objective", name, n] for name, n in counts]
    most = max(n for _, n in counts)
    return measure.Report(
        "recompilation", "Recompilation",
        "Kernels compiled by each further solve, gradient_descent on logistic "
        "regression; then how often Python calls the function of a bn.Smooth for its "
        "construction and one cold solve.",
        ["what", "solve", "number"], rows,
        [
            measure.Goal("kernels compiled by a new value", again, 0),
            measure.Goal("calls of the objective, cold", most, TRACES),
        ],
    )  # fmt: skip


def kernels():
    """(change, kernels compiled by the solve that follows it)."""
    first, second = fit(0), fit(1)
    step = 1 / float(first.facts().L)
    slow = bn.GradientDescent(step_size=step, search=False)
    slower = bn.GradientDescent(step_size=step / 2, search=False)
    solves = [
        ("first", lambda: bn.solve(first, slow, max_steps=100)),
        ("new data", lambda: bn.solve(second, slow, max_steps=100)),
        ("new tol", lambda: bn.solve(first, slow, max_steps=100, tol=1e-3)),
        ("new seed", lambda: bn.solve(first, slow, max_steps=100, seed=5)),
        ("new max_steps", lambda: bn.solve(first, slow, max_steps=50)),
        ("new hyperparameter", lambda: bn.solve(first, slower, max_steps=100)),
        ("new start", lambda: bn.solve(first, slow, max_steps=100, start=np.ones(6))),
    ]
    out = []
    for what, solve in solves:
        before = programs.COUNTS["kernel"]
        solve()
        out.append((what, programs.COUNTS["kernel"] - before))
    return out


def fit(seed: int):
    """A logistic regression of one shape."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((50, 5))
    return bn.LogisticRegression(A, (A[:, 0] > 0).astype(int), 1.0)


def traces(limit: int | None):
    """(method, Python calls of the objective for one cold solve)."""
    out = []
    for name, entry in catalogue.load_index().items():
        if entry["host"] or entry["family"] != "smooth":
            continue
        calls = []

        def f(x, calls=calls):
            calls.append(1)
            return jnp.sum((x - 1) ** 2) + jnp.sum(x**4) / 4

        problem = bn.Smooth(f, np.zeros(3), convex=True, L=14.0)
        method = choose.suggest(name, problem, problem.facts())
        if isinstance(method, Refusal):
            continue
        bn.solve(problem, method, max_steps=100)
        out.append((name, len(calls)))
        if limit is not None and len(out) >= limit:
            break
    return out
