"""Stable-SPAM: Huang et al. (2025), algorithm 1."""

import numpy as np
from reference import _matrix

_some = {"learning_rate": 0.2, "b1": 0.7, "b2": 0.8, "eps": 1e-2, "batch": 5}
CASES = [
    _matrix.case((3, 2), 14, **_some, g1=0.5, g2=0.6, g3=0.8, every=5),
    _matrix.case((2, 3), 12, batch=5, weight_decay=0.1),
]


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, g1=0.7,
    g2=0.9, g3=0.999, eps=1e-8, weight_decay=0.0, every=1000,
):  # fmt: skip
    x, out, clock = list(oracles.split(x0)), [], 0
    m, v, T, p, q = ([0.0, 0.0] for _ in range(5))
    for t in range(1, steps + 1):
        gs, clock = oracles.gradients(x, take(t - 1, batch)), clock + 1
        if t % every == 0:
            m, v, clock = [0.0, 0.0], [0.0, 0.0], 1
        for i, g in enumerate(gs):
            most = np.abs(g).max()
            T[i] = g3 * T[i] + (1 - g3) * most
            Th = T[i] / (1 - g3**t)
            g = np.where(np.abs(g) > Th, g / most * Th, g)
            norm = np.linalg.norm(g)
            p[i] = g1 * p[i] + (1 - g1) * norm
            q[i] = g2 * q[i] + (1 - g2) * norm**2
            g = g / norm * (p[i] / (1 - g1**t)) / (np.sqrt(q[i] / (1 - g2**t)) + eps)
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * g**2
            d = m[i] / (1 - b1**clock) / (np.sqrt(v[i] / (1 - b2**clock)) + eps)
            x[i] = x[i] - learning_rate * (d + weight_decay * x[i])
        out.append(_matrix.joined(x))
    return out
