"""Subset-Norm and Subspace-Momentum: Nguyen and Nguyen (2025), algorithms 1 to 3."""

import numpy as np
from reference import _matrix

_some = {"learning_rate": 0.2, "b1": 0.7, "b2": 0.8, "eps": 1e-2, "batch": 5}
CASES = [
    _matrix.case((3, 4), 12, **_some, rank=1, every=5, weight_decay=0.1),
    _matrix.case((4, 2), 12, **_some, rank=1, every=3, adagrad=True),
    _matrix.case((4, 2), 12, **_some, subsets="entries"),
    _matrix.case((2, 3), 12, **_some, subsets="all", rank=2),
    _matrix.case((3, 2), 12, {"batch": 5}),
]


def squared(g, subsets):
    if subsets == "all":
        return np.sum(g**2)
    if subsets == "entries" or g.ndim == 1:
        return g**2
    return np.sum(g**2, axis=int(g.shape[1] >= g.shape[0]), keepdims=True)


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-6,
    weight_decay=0.0, rank=0, every=200, subsets="lines", adagrad=False,
):  # fmt: skip
    x, out = list(oracles.split(x0)), []
    square, m, inside = [0.0, 0.0], [0.0, 0.0], 0.0
    for t in range(1, steps + 1):
        gs = oracles.gradients(x, take(t - 1, batch))
        one, two = (1, 1) if adagrad else (1 - b1**t, 1 - b2**t)
        for i, g in enumerate(gs):
            new = squared(g, subsets)
            square[i] = square[i] + new if adagrad else b2 * square[i] + (1 - b2) * new
            if g.ndim == 2 and rank:
                G = g if g.shape[0] <= g.shape[1] else g.T
                if (t - 1) % every == 0:
                    U = np.linalg.svd(G)[0][:, :rank]
                # The momentum as a matrix of the full size, projected.
                inside = b1 * U @ (U.T @ inside if t > 1 else 0 * U.T @ G)
                inside = inside + (1 - b1) * U @ (U.T @ G)
                d = inside / one + (G - U @ (U.T @ G))
                d = d if g.shape[0] <= g.shape[1] else d.T
            else:
                m[i] = b1 * m[i] + (1 - b1) * g
                d = m[i] / one
            d = d / (np.sqrt(square[i] / two) + eps)
            x[i] = x[i] - learning_rate * (d + weight_decay * x[i])
        out.append(_matrix.joined(x))
    return out
