"""Sparse logistic regressions on five tables, a tenth of the weight that gives 0."""

from typing import Any

import numpy as np

from banach.claims import instances
from banach.core import tree
from banach.kinds.composite.problem import Composite
from banach.terms.norms import L1


def problems() -> dict[str, Composite]:
    """Name -> problem, begun at 0."""
    found = {}
    for name, smooth in instances.logistic().items():
        top = np.abs(np.asarray(smooth.grad(smooth.x0))).max()
        found[name] = Composite(smooth, L1(0.1 * top))
    return found


def residual(problem: Any, point: Any) -> Any:
    """||x - prox(x - t grad f(x), t)||, t = 1 / L."""
    return tree.norm(problem.optimality(point).x)
