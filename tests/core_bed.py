"""Small problems and methods that the tests of the core share.

All have five unknowns, so that their programs are shared between tests of a module.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from banach.checks.stationarity import Stationarity
from banach.core.card import method
from banach.core.method import Method
from banach.core.point import Point
from banach.kinds.smooth.problem import Smooth

rng = np.random.default_rng(0)
A = rng.standard_normal((12, 5))
B = rng.standard_normal(12)
CHECK = Stationarity()


def ridge_value(x, A, b, lam):
    return 0.5 * jnp.sum((A @ x - b) ** 2) + 0.5 * lam * jnp.sum(x**2)


def ridge(lam=0.5, A=A, b=B, dtype=None):
    """1/2 ||A x - b||^2 + lam/2 ||x||^2; its reference is 0."""
    zero = np.zeros(A.shape[1], dtype or A.dtype)
    A, b, lam = (np.asarray(v, zero.dtype) for v in (A, b, lam))
    L = 1.001 * float(np.linalg.norm(A, 2)) ** 2 + float(lam)
    return Smooth(ridge_value, zero, (A, b, lam), L=L, mu=float(lam), reference=zero)


def ridge_solution(lam=0.5, A=A, b=B):
    return np.linalg.solve(A.T @ A + lam * np.eye(A.shape[1]), A.T @ b)


def long_valley():
    """Gradient descent needs millions of steps here: a run to interrupt."""

    def f(x, c):
        return 0.5 * jnp.sum(c * (x - 1) ** 2)

    zero = np.zeros(5)
    c = np.array([1.0, 1e-2, 1e-4, 1e-6, 1e-8])
    return Smooth(f, zero, (c,), L=1.0, convex=True, reference=zero)


class NoisyState(eqx.Module):
    x: Any


@method(
    name="noisy_descent",
    family="smooth",
    problem="Smooth",
    needs={"grad"},
    paper="none",
    cost={"grad": 1},
    random=True,
)
class NoisyDescent(Method):
    """Gradient steps with Gaussian noise, to see which key a step is given."""

    step_size: Any
    noise: Any

    @classmethod
    def suggest(cls, problem, facts):
        return cls(1 / facts.L, 0.0)

    def init(self, problem, start, key):
        return NoisyState(start.x)

    def step(self, problem, state, key):
        noise = self.noise * jax.random.normal(key, state.x.shape, state.x.dtype)
        return NoisyState(state.x - self.step_size * problem.grad(state.x) + noise)

    def point(self, state):
        return Point(state.x)


def bits(tree):
    """The exact bits of every leaf."""
    return [np.asarray(v).tobytes() for v in jax.tree.leaves(tree)]
