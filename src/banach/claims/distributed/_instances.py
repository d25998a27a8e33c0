"""Logistic regressions spread over workers, each with its minimiser."""

from typing import Any

import numpy as np

from banach.claims import instances
from banach.kinds.distributed_sum.problem import DistributedSum
from banach.kinds.glm.models import LogisticRegression


def logistic(A: Any, y: Any, workers: int, ridge: float, sort: bool = True) -> Any:
    """(Mean logistic loss plus ridge / 2 ||x||^2, its minimiser); y in {0, 1}.

    Sorted by label each worker sees one class or nearly so; else shuffled.
    """
    n = len(y)
    whole = LogisticRegression(A, y, ridge * n, intercept=False).as_finite_sum()
    order = np.argsort(y, kind="stable")
    if not sort:
        order = np.random.default_rng(0).permutation(n)
    pieces = np.array_split(order, workers)
    L = workers / n * max(np.linalg.norm(A[p], 2) ** 2 for p in pieces) / 4 + ridge
    x = instances.logistic_minimiser(A, y, ridge)
    return DistributedSum(whole, workers, order=order, L=L), x


def tables() -> dict[str, Any]:
    """Four real tables of two classes and a drawn one."""
    return {**instances.tables(), "fresh": instances.drawn_table()}
