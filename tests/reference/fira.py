"""Fira: Chen et al. (2024), algorithm 1, and the order of the authors' code."""

import numpy as np
from reference import _matrix

_some = {"learning_rate": 0.2, "b1": 0.7, "b2": 0.8, "eps": 1e-2, "batch": 5}
CASES = [
    _matrix.case((3, 4), 12, **_some, rank=2, every=5, weight_decay=0.1),
    _matrix.case((4, 3), 12, **_some, rank=1, every=3, scale=2.0, growth=1.2),
    _matrix.case((3, 2), 12, batch=5, rank=1),
    _matrix.case((2, 3), 12, {"batch": 5}),
]


def leading(G, rank):
    U = np.linalg.svd(G)[0][:, :rank]
    return U * np.sign(U[np.abs(U).argmax(axis=0), np.arange(U.shape[1])])


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-6,
    weight_decay=0.0, scale=1.0, growth=1.01, rank=8, every=200,
):  # fmt: skip
    x, out = list(oracles.split(x0)), []
    m, v, last = [0.0, 0.0], [0.0, 0.0], None
    for t in range(1, steps + 1):
        gs = oracles.gradients(x, take(t - 1, batch))
        rate = learning_rate * np.sqrt(1 - b2**t) / (1 - b1**t)
        for i, g in enumerate(gs):
            G = g.T if g.ndim == 2 and g.shape[0] > g.shape[1] else g
            if g.ndim == 2 and (t - 1) % every == 0:
                P = leading(G, rank)
            R = P.T @ G if g.ndim == 2 else G
            m[i] = b1 * m[i] + (1 - b1) * R
            v[i] = b2 * v[i] + (1 - b2) * R**2
            d = m[i] / (np.sqrt(v[i]) + eps)
            if g.ndim == 2:
                s = np.linalg.norm(d, axis=0) / np.linalg.norm(R, axis=0)
                S = (G - P @ R) * s
                size = np.linalg.norm(S)
                if last is not None and size > growth * last:
                    S, size = S * growth * last / size, growth * last
                last = size
                d = scale * (P @ d + S)
                d = d if d.shape == g.shape else d.T
            x[i] = x[i] - rate * d - learning_rate * weight_decay * x[i]
        out.append(_matrix.joined(x))
    return out
