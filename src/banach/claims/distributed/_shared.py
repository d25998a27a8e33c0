"""Logistic regression on workers, and whole trajectories of methods on it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.engine.loop import leaves_in
from banach.kinds.distributed_sum.problem import DistributedSum
from banach.kinds.glm.models import LogisticRegression
from banach.zoo import datasets


def logistic(workers: int, ridge: float, sort: bool = True) -> tuple[Any, Any]:
    """Mean logistic loss of breast_cancer plus ridge / 2 ||x||^2, and its minimiser.

    Sorted by label each worker sees one class or nearly so; else shuffled.
    """
    data = datasets.breast_cancer()
    A, y = datasets.standardised(data.A), np.where(data.y > 0, 1.0, -1.0)
    n = len(y)
    whole = LogisticRegression(A, data.y, ridge * n, intercept=False).as_finite_sum()
    order = np.argsort(data.y, kind="stable")
    if not sort:
        order = np.random.default_rng(0).permutation(n)
    pieces = np.array_split(order, workers)
    L = workers / n * max(np.linalg.norm(A[p], 2) ** 2 for p in pieces) / 4 + ridge
    x = np.zeros(A.shape[1])
    for _ in range(50):
        s = 1 / (1 + np.exp(y * (A @ x)))
        g = ridge * x - A.T @ (y * s) / n
        H = ridge * np.eye(x.size) + (A.T * (s * (1 - s))) @ A / n
        x = x - np.linalg.solve(H, g)
    return DistributedSum(whole, workers, order=order, L=L), x


def errors(problem: Any, method: Any, best: Any, steps: int, every: int = 1) -> Any:
    """||x - best||^2 after every `every` steps; and the last state."""
    method = leaves_in(np.float64, method)

    def go(problem, method, key):
        state = method.init(problem, problem.start(), key)

        def step(state, k):
            return method.step(problem, state, k), None

        def row(state, k):
            state, _ = jax.lax.scan(step, state, jax.random.split(k, every))
            return state, jnp.sum((method.point(state).x - best) ** 2)

        return jax.lax.scan(row, state, jax.random.split(key, steps // every))

    state, e = jax.jit(go)(problem, method, jax.random.key(0))
    return np.asarray(e), state
