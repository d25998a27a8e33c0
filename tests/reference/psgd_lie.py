"""PSGD on Lie groups: Pooladzandi and Li (2024), with Q as a dense matrix."""

import jax
import numpy as np
from reference import _matrices

_some = {"learning_rate": 0.05, "fit_rate": 0.2, "momentum": 0.6, "batch": 5}
CASES = [
    _matrices.case(**_some, weight_decay=0.2),
    _matrices.case(**_some, bias=False),
    _matrices.case(**_some, group="low_rank", rank=2),
    _matrices.case(batch=5),
]


def x_step(Q, v, h, rate):
    n = len(Q)
    s, w = Q @ h, np.linalg.solve(Q.T, v)
    pattern = np.eye(n) + np.eye(n)[::-1] > 0
    E = (np.outer(s, s) - np.outer(w, w)) * pattern
    return Q - rate / np.max(s**2 + w**2) * E @ Q


def low_rank_step(U, V, d, v, h, rate, t):
    n, r = U.shape
    Q = (np.eye(n) + U @ V.T) @ np.diag(d)
    P, s, w = Q.T @ Q, Q @ h, np.linalg.solve(Q.T, v)
    one, two = h * (P @ h), v * np.linalg.solve(P, v)
    d = d - rate / np.max(np.abs(one) + np.abs(two)) * d * (one - two)
    E, norm = np.outer(s, s) - np.outer(w, w), np.linalg.norm
    M = V if t % 2 == 1 else U
    mu = rate / (norm(s) * norm(M @ M.T @ s) + norm(w) * norm(M @ M.T @ w))
    if t % 2 == 1:
        return U - mu * E @ V @ (np.eye(r) + V.T @ U), V, d
    return U, V - mu * (np.eye(n) + V @ U.T) @ E @ U, d


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, fit_rate=0.1, momentum=0.9,
    group="x", rank=10, weight_decay=0.0,
):  # fmt: skip
    n, m, x, out = x0.size, 0.0, x0, []
    Q = np.eye(n)
    both = np.asarray(jax.random.normal(jax.random.key(1), (2, n, rank), x0.dtype))
    U, V = both / np.sqrt(n * rank)
    d = np.ones(n)
    for t in range(1, steps + 1):
        g = _matrices.joined(_matrices.gradients(x, take, batch, t))
        key = jax.random.fold_in(jax.random.key(0), t)
        v = np.asarray(jax.random.normal(key, (n,), x0.dtype))
        size = (v @ v / (g @ g)) ** 0.25 if t == 1 else 1.0
        if group == "x":
            Q = x_step(size * Q, v, g, fit_rate)
        else:
            U, V, d = low_rank_step(U, V, size * d, v, g, fit_rate, t)
            Q = (np.eye(n) + U @ V.T) @ np.diag(d)
        m = momentum * m + (1 - momentum) * g
        x = x - learning_rate * (Q.T @ Q @ m + weight_decay * x)
        out.append(x)
    return out
