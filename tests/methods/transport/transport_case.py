"""A small transport problem, its oracles in NumPy, and its iterates."""

from types import SimpleNamespace

import jax
import numpy as np

from banach.engine.loop import leaves_in
from banach.kinds.transport.problem import Transport

M, N = 7, 6
_rng = np.random.default_rng(3)
C = (_rng.random((M, 1)) - _rng.random(N)) ** 2 + 0.2 * _rng.random((M, N))
A, B = (v / v.sum() for v in (_rng.random(M) + 0.3, _rng.random(N) + 0.3))
EPS = 0.02
ORACLES = SimpleNamespace(C=C, a=A, b=B, eps=EPS)
X0 = (np.zeros(M), np.zeros(N))


def problem(eps=EPS):
    return Transport(C, A, B, eps)


def iterates(problem, method, steps):
    """The potentials after each step, as vectors, and the states."""
    key = jax.random.key(0)
    start = problem.start()
    method = leaves_in(np.float64, method)
    state = jax.jit(lambda m, p: m.init(p, start, key))(method, problem)
    step = jax.jit(lambda m, p, s: m.step(p, s, key))
    points, states = [], []
    for _ in range(steps):
        state = step(method, problem, state)
        points.append(np.concatenate(method.point(state).x))
        states.append(state)
    return points, states


def plan(x, eps=EPS):
    f, g = x[:M], x[M:]
    return np.outer(A, B) * np.exp((f[:, None] + g - C) / eps)


def error(x, eps=EPS):
    """Both marginal errors in the 1-norm."""
    P = plan(x, eps)
    return abs(P.sum(1) - A).sum() + abs(P.sum(0) - B).sum()
