"""Functions on boxes that methods for bounds are compared on."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from banach.kinds.composite.problem import Composite
from banach.terms.sets import Box


def hilly(lower, upper):
    """A quadratic of 6 unknowns plus quarter fourth powers: (problem, oracles)."""
    rng = np.random.default_rng(31)
    A, b = rng.standard_normal((8, 6)), 3 * rng.standard_normal(6)
    H, x0 = A.T @ A, np.clip(rng.standard_normal(6) / 2, lower, upper)
    problem = Composite(
        lambda x, H, b: x @ H @ x / 2 - b @ x + jnp.sum(x**4) / 4,
        Box(lower, upper), x0, (H, b), convex=True,
    )  # fmt: skip
    return problem, SimpleNamespace(
        sides=(np.full(6, float(lower)), np.full(6, float(upper))),
        value=lambda x: x @ H @ x / 2 - b @ x + np.sum(x**4) / 4,
        grad=lambda x: H @ x - b + x**3,
        hess=lambda x: H + np.diag(3 * x**2),
    )


def bumpy(x0=(-1.2, 1.0, 1.0)):
    """Rosenbrock's valley with a third coordinate, bounded: (problem, oracles)."""
    low, high = np.array([-1.5, -np.inf, 0.5]), np.array([0.8, 2.0, np.inf])

    def f(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2 + (x[2] - x[0]) ** 2

    def grad(x):
        u = x[1] - x[0] ** 2
        first = -400 * x[0] * u - 2 * (1 - x[0]) - 2 * (x[2] - x[0])
        return np.array([first, 200 * u, 2 * (x[2] - x[0])])

    def hess(x):
        first = 1200 * x[0] ** 2 - 400 * x[1] + 4
        H = np.diag([first, 200.0, 2.0])
        H[0, 1] = H[1, 0] = -400 * x[0]
        H[0, 2] = H[2, 0] = -2.0
        return H

    problem = Composite(f, Box(low, high), np.array(x0))
    return problem, SimpleNamespace(sides=(low, high), value=f, grad=grad, hess=hess)
