"""Workers of 3, 2 and 2 terms: gradients at points of their own, whole or drawn."""

from types import SimpleNamespace

import jax
import numpy as np
from reference import _workers

import banach as bn

W, N, D, L2 = 3, 7, _workers.D, _workers.L2
A, Y = _workers.A.reshape(-1, D)[:N], _workers.Y.ravel()[:N]
PIECES = np.array_split(np.arange(N), W)
L = max(np.linalg.norm(A[p], 2) ** 2 for p in PIECES) * W / N + L2


def problem(l2=L2, **facts):
    whole = bn.FiniteSum(_workers.loss, np.ones(D), (A, Y), l2=l2, convex=True, **facts)
    return bn.DistributedSum(whole, W, L=L)


def own(points, l2=L2):
    """grad f_i at row i."""
    rows = zip(points, PIECES, strict=True)
    return np.stack([A[p].T @ (A[p] @ x - Y[p]) * W / N + l2 * x for x, p in rows])


def drawn(points, key, size, l2=L2):
    """Estimates of these from terms that each worker's key draws."""
    out = []
    for x, p, k in zip(points, PIECES, jax.random.split(key, W), strict=True):
        j = p[np.asarray(jax.random.randint(k, (size,), 0, len(p)))]
        g = A[j].T @ (A[j] @ x - Y[j]) / size
        out.append(g * len(p) * W / N + l2 * x)
    return np.stack(out)


ORACLES = SimpleNamespace(own=own, drawn=drawn)
