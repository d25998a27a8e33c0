"""Small shared problems with answers known in closed form or by enumeration."""

import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.core.check import Check, single
from banach.kinds.smooth.problem import Smooth

rng = np.random.default_rng(11)
A = rng.standard_normal((20, 4))
B = rng.standard_normal(20)
H, C = A.T @ A, A.T @ B
ANSWER = np.linalg.solve(H, C)
L = float(np.linalg.eigvalsh(H)[-1])


def quadratic(x0=None, L=L):
    """1/2 ||A x - b||^2, with L declared."""
    start = np.zeros(4) if x0 is None else x0
    return Smooth(lambda x: jnp.sum((A @ x - B) ** 2) / 2, start, L=L, convex=True)


def log_quadratic(x0=None):
    """A convex function of a dict, with minimiser a = 1, b = (0, 0)."""
    x0 = {"a": np.array(3.0), "b": np.array([0.5, -1.0])} if x0 is None else x0
    return Smooth(
        lambda x: jnp.cosh(x["a"] - 1) + jnp.sum(jnp.cosh(x["b"])), x0, convex=True
    )


class GradientNorm(Check):
    """||grad f|| / its value at the start, with a token slack."""

    name = "gradient_norm"

    def __call__(self, problem, point, key, look):
        norm = tree.norm(problem.grad(point.x))
        scale = tree.norm(problem.grad(problem.start().x))
        return single("||grad f||", norm, 1e-16, scale, grade="residual"), point

    def cost(self, problem):
        return {"grad": 1}
