"""What claims of Newton methods measure on logistic regressions."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims import instances
from banach.kinds.smooth.problem import Smooth


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


def far(l2: float) -> dict[str, Smooth]:
    """Logistic regressions from weights of 2, where pure Newton may diverge."""
    return {
        name: Smooth(p.fun, np.full(p.size(), 2.0), p.args, convex=True, mu=l2)
        for name, p in instances.logistic(l2).items()
    }


def moved(problem: Smooth) -> tuple[Smooth, np.ndarray]:
    """(the same in coordinates z, T), x = T z, T of condition 100."""
    square = np.random.default_rng(0).standard_normal((problem.size(),) * 2)
    T = np.linalg.qr(square)[0] * np.logspace(-1, 1, problem.size())
    start = np.linalg.solve(T, problem.x0)
    there = Smooth(
        lambda z, *args: problem.fun(jnp.matmul(T, z), *args),
        start, problem.args, convex=True,
    )  # fmt: skip
    return there, T


def dual_squares(H: np.ndarray, g: np.ndarray) -> np.ndarray:
    """g' H^-1 g of each row."""
    return np.einsum("ki,ki->k", g, np.linalg.solve(H, g[..., None])[..., 0])
