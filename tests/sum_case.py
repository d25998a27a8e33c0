"""A small logistic mean, its term gradients in NumPy, and a driver that keeps draws."""

import jax
import jax.numpy as jnp
import numpy as np

from banach.engine.loop import leaves_in
from banach.kinds.finite_sum.problem import FiniteSum

_rng = np.random.default_rng(21)
N, D = 40, 3
A = _rng.standard_normal((N, D))
Y = np.where(A @ np.array([2.0, -1.0, 0.5]) + _rng.standard_normal(N) > 0, 1.0, -1.0)
L2 = 0.05
X0 = np.array([0.3, -0.2, 0.1])
L = 0.25 * np.linalg.norm(A, 2) ** 2 / N + L2


def loss(x, d):
    return jnp.logaddexp(0.0, -d[1] * (d[0] @ x))


def problem(**options):
    settings = dict(l2=L2, convex=True, L=L, reference=np.zeros(D)) | options
    return FiniteSum(loss, X0, (A, Y), **settings)


def term_gradients(x):
    s = 1 / (1 + np.exp(Y * (A @ x)))
    return -A * (Y * s)[:, None] + L2 * x


def plain_gradients(x):
    """Of the terms without l2."""
    return term_gradients(x) - L2 * x


def hessian(x):
    s = 1 / (1 + np.exp(Y * (A @ x)))
    return (A.T * (s * (1 - s))) @ A / N + L2 * np.eye(D)


def objective(x):
    return np.mean(np.logaddexp(0, -Y * (A @ x))) + L2 / 2 * x @ x


def drive(problem, method, steps, seed=0):
    """Points, the indices of each batch, and the states."""
    start = problem.start()
    method = leaves_in(start.x.dtype, method)
    first, *keys = jax.random.split(jax.random.key(seed), steps + 1)
    state = jax.jit(lambda m, p, k: m.init(p, start, k))(method, problem, first)
    step = jax.jit(lambda m, p, s, k: m.step(p, s, k))
    xs, draws, states, before = [], [], [], 0
    for key in keys:
        state = step(method, problem, state, key)
        calls = int(method.calls(state)["stochastic_grad"])
        used, size = int(state.order.used), calls - before
        xs.append(np.asarray(method.point(state).x))
        draws.append(np.asarray(state.order.order)[used - size : used])
        states.append(state)
        before = calls
    return xs, draws, states
