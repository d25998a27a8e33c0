"""What claims of Newton methods measure on logistic regressions."""

from typing import Any

import numpy as np


def hessian(problem: Any, point: Any) -> Any:
    """The Hessian at x, as something to watch."""
    return problem.hess(point.x)


def gradient(problem: Any, point: Any) -> Any:
    """The gradient at x, as something to watch."""
    return problem.grad(point.x)


def lipschitz(problem: Any) -> float:
    """Of the Hessian: the third derivative of log(1 + exp(t)) is at most 3^-1.5 / 2."""
    A = problem.args[0]
    rows = np.linalg.norm(A, axis=1).max()
    return np.linalg.norm(A, 2) ** 2 / len(A) * rows / (6 * 3**0.5)
