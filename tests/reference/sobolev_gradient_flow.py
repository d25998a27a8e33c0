"""Marwah et al. (2023): u+ = u - eta (s I - Laplace)^-1 DE(u), dense matrices."""

import numpy as np


def laplacian(n, dims):
    T = (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) * (n + 1) ** 2
    return T if dims == 1 else np.kron(T, np.eye(n)) + np.kron(np.eye(n), T)


def iterates(derivative, u, steps, *, step_size, shift):
    """`derivative` returns DE(u) as a function on the grid (no cell volume)."""
    metric = laplacian(u.shape[0], u.ndim) + shift * np.eye(u.size)
    out = []
    for _ in range(steps):
        direction = np.linalg.solve(metric, derivative(u).ravel())
        u = u - step_size * direction.reshape(u.shape)
        out.append(u)
    return out
