"""Doikov, Chayti and Jaggi (2023): algorithms 1 (cubic) and 2 (quadratic), fixed M."""

import numpy as np


def iterates(oracles, x0, steps, *, period, M, cubic):
    x, out = x0, []
    for k in range(steps):
        if k % period == 0:
            values, vectors = np.linalg.eigh(oracles.hess(x))
        g = oracles.grad(x)
        s = vectors.T @ g
        if cubic:
            low, high = max(0.0, -2 * values[0] / M), 1e3
            for _ in range(200):
                r = (low + high) / 2
                longer = np.linalg.norm(s / (values + M * r / 2)) > r
                low, high = (r, high) if longer else (low, r)
            shift = M * high / 2
        else:
            shift = np.sqrt(M * np.linalg.norm(g))
        x = x - vectors @ (s / (values + shift))
        out.append(x)
    return out
