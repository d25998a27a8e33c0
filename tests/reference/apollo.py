"""APOLLO: Zhu et al. (2025), algorithm 1, and the order of the authors' code."""

import jax
import numpy as np
from reference import _matrix

_some = {"learning_rate": 0.2, "b1": 0.7, "b2": 0.8, "eps": 1e-2, "batch": 5}


def _draws(seed):
    def told(keys):
        def P(rank, rows, drawn):
            key = jax.random.fold_in(jax.random.key(seed), 0)
            key = jax.random.fold_in(key, drawn)
            normal = jax.random.normal(key, (rank, rows), float)
            return np.asarray(normal) / np.sqrt(rank)

        return {"P": P}

    return told


CASES = [
    _matrix.case((3, 4), 12, _draws(0), **_some, rank=2, every=5, weight_decay=0.1),
    _matrix.case((4, 2), 12, _draws(3), **_some, rank=1, mini=True, scale=2.0, seed=3),
    _matrix.case((4, 2), 12, _draws(0), **_some, growth=1.2),
    _matrix.case((2, 3), 12, _draws(0), batch=5),
]


def iterates(
    oracles, x0, steps, *, take, P, batch, learning_rate=1e-2, b1=0.9, b2=0.999,
    eps=1e-6, weight_decay=0.0, scale=1.0, growth=1.01, rank=8, every=200, seed=0,
    mini=False,
):  # fmt: skip
    x, out = list(oracles.split(x0)), []
    m, v, last = [0.0, 0.0], [0.0, 0.0], None
    for t in range(1, steps + 1):
        gs = oracles.gradients(x, take(t - 1, batch))
        rate = learning_rate * np.sqrt(1 - b2**t) / (1 - b1**t)
        for i, g in enumerate(gs):
            G = g.T if g.ndim == 2 and g.shape[0] > g.shape[1] else g
            R = P(rank, len(G), (t - 1) // every) @ G if g.ndim == 2 else G
            m[i] = b1 * m[i] + (1 - b1) * R
            v[i] = b2 * v[i] + (1 - b2) * R**2
            d = m[i] / (np.sqrt(v[i]) + eps)
            if g.ndim == 2:
                axis = None if mini else 0
                d = G * np.linalg.norm(d, axis=axis) / np.linalg.norm(R, axis=axis)
                size = np.linalg.norm(d)
                if last is not None and size > growth * last:
                    d, size = d * growth * last / size, growth * last
                last = size
                d = scale * (d if d.shape == g.shape else d.T)
            x[i] = x[i] - rate * d - learning_rate * weight_decay * x[i]
        out.append(_matrix.joined(x))
    return out
