"""A small Lasso, the oracles of its NumPy transcription, and its solution."""

import itertools
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from banach.kinds.composite.problem import Composite
from banach.terms.norms import L1

ROWS, COLUMNS, LAM = 12, 5, 0.7
rng = np.random.default_rng(3)
A = rng.standard_normal((ROWS, COLUMNS)) @ np.diag([1, 1, 0.6, 0.3, 0.1])
B = rng.standard_normal(ROWS)
H, C = A.T @ A, A.T @ B
L = float(np.linalg.eigvalsh(H)[-1])
X0 = np.full(COLUMNS, 0.5)


def f(x):
    return 0.5 * np.sum((A @ x - B) ** 2)


def objective(x):
    return f(x) + LAM * np.sum(np.abs(x))


def solution():
    """The minimiser by enumeration of signs: no iterative method is trusted."""
    best = np.zeros(COLUMNS)
    for signs in itertools.product((-1.0, 0.0, 1.0), repeat=COLUMNS):
        s = np.array(signs)
        on = s != 0
        x = np.zeros(COLUMNS)
        if on.any():
            x[on] = np.linalg.solve(H[np.ix_(on, on)], C[on] - LAM * s[on])
        if np.all(x * s >= 0) and objective(x) < objective(best):
            best = x
    return best


SOLUTION = solution()
RADIUS = float(np.linalg.norm(X0 - SOLUTION))
CONSTANTS = SimpleNamespace(L=L, radius=RADIUS)


def problem(lam=LAM, declared=True):
    """f + lam ||.||_1 with L declared or not."""
    more = {"L": L, "convex": True} if declared else {"convex": True}
    return Composite(lambda x: jnp.sum((A @ x - B) ** 2) / 2, L1(lam), X0, **more)


def soft(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t * LAM, 0)


ORACLES = SimpleNamespace(f=f, grad=lambda x: H @ x - C, prox=soft)
