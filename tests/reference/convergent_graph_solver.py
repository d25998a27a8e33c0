"""Convergent graph solver: Park, Choo and Park (2022), H = gamma A H + B by head."""

import numpy as np


def weights(scores, senders, receivers, nodes):
    A = np.zeros((len(scores), nodes, nodes))
    for h, row in enumerate(scores):
        for s, j, i in zip(row, senders, receivers, strict=True):
            A[h, i, j] += np.exp(s)
    total = A.sum(axis=2, keepdims=True)
    return A / np.where(total > 0, total, 1)


def iterates(A, B, gamma, H, steps, *, direct):
    out = []
    for _ in range(steps):
        step = gamma * A @ H + B - H
        if direct:
            step = np.linalg.solve(np.eye(A.shape[1]) - gamma * A, step)
        H = H + step
        out.append(H)
    return out
