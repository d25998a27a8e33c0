"""A small regularised logistic regression in JAX and in NumPy, and a stepper."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from banach.engine.loop import leaves_in
from banach.kinds.smooth.problem import Smooth

RNG = np.random.default_rng(5)
ROWS, N = 40, 5
A = RNG.standard_normal((ROWS, N)) * np.array([1.0, 2.0, 0.5, 3.0, 1.0])
Y = np.where(A @ RNG.standard_normal(N) + RNG.standard_normal(ROWS) > 0, 1.0, -1.0)
L2 = 0.1
X0 = np.full(N, 0.3)


def logistic(x, a):
    return jnp.sum(jax.nn.softplus(-Y * (a @ x))) + L2 / 2 * jnp.sum(x**2)


def problem(x0=X0, convex=True):
    return Smooth(logistic, x0, (A,), convex=convex)


def _sigmoid(t):
    return np.exp(-np.logaddexp(0, -t))


def value(x):
    return np.sum(np.logaddexp(0, -Y * (A @ x))) + L2 / 2 * x @ x


def grad(x):
    return A.T @ (-Y * _sigmoid(-Y * (A @ x))) + L2 * x


def hess(x):
    s = _sigmoid(A @ x)
    return A.T @ ((s * (1 - s))[:, None] * A) + L2 * np.eye(N)


ORACLES = SimpleNamespace(f=value, grad=grad, hess=hess)


def states(problem, method, steps):
    """The states after each step, and their points as NumPy arrays."""
    start = problem.start()
    method = leaves_in(np.asarray(start.x).dtype, method)
    key = jax.random.key(0)
    state = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    out = []
    for _ in range(steps):
        state = step(method, problem, state)
        out.append(state)
    return out, np.array([np.asarray(method.point(s).x) for s in out])
