"""A strongly convex least-squares sum over three heterogeneous workers."""

from types import SimpleNamespace

import jax
import numpy as np

import banach as bn
from banach.engine.loop import leaves_in

W, M, D = 3, 6, 4
rng = np.random.default_rng(4)
A = rng.standard_normal((W, M, D)) * np.array([1.0, 2.0, 0.5])[:, None, None]
Y = rng.standard_normal((W, M)) + np.array([3.0, -2.0, 0.0])[:, None]
L2 = 0.1
L = max(np.linalg.norm(a, 2) ** 2 / M for a in A) + L2
X0 = np.zeros(D)


def loss(x, d):
    a, y = d
    return (a @ x - y) ** 2 / 2


def problem():
    data = (A.reshape(-1, D), Y.ravel())
    whole = bn.FiniteSum(loss, X0, data, l2=L2, convex=True, L=L)
    return bn.DistributedSum(whole, W, L=L)


def local_grad(x):
    return np.stack([a.T @ (a @ x - y) / M + L2 * x for a, y in zip(A, Y, strict=True)])


_H = sum(a.T @ a for a in A) / (W * M) + L2 * np.eye(D)
SOLUTION = np.linalg.solve(
    _H, sum(a.T @ y for a, y in zip(A, Y, strict=True)) / (W * M)
)


def case():
    """(problem, oracles) of the sum."""
    grad = lambda x: local_grad(x).mean(axis=0)  # noqa: E731
    return problem(), SimpleNamespace(local_grad=local_grad, grad=grad)


def wide():
    """The same with 20 unknowns: (problem, oracles)."""
    a, y = _wide
    whole = bn.FiniteSum(loss, np.zeros(20), (a.reshape(-1, 20), y.ravel()), l2=L2)

    def gradients(x):
        pairs = zip(a, y, strict=True)
        return np.stack([b.T @ (b @ x - t) / M + L2 * x for b, t in pairs])

    oracles = SimpleNamespace(local_grad=gradients)
    return bn.DistributedSum(whole, W, L=wide_L()), oracles


_wide = rng.standard_normal((W, M, 20)), rng.standard_normal((W, M))


def wide_L():
    """The largest curvature of a worker's sum."""
    return max(np.linalg.norm(a, 2) ** 2 / M for a in _wide[0]) + L2


def states(method, steps, seed=0):
    """Every state of a run, stacked."""
    p = problem()
    method = leaves_in(np.float64, method)
    keys = jax.random.split(jax.random.key(seed), steps)

    def go(p, method):
        first = method.init(p, p.start(), keys[0])

        def step(state, key):
            state = method.step(p, state, key)
            return state, state

        return jax.lax.scan(step, first, keys)[1]

    return jax.jit(go)(p, method)
