"""Compressors of one vector in NumPy, and the coordinates that a key draws."""

import jax
import numpy as np


def top(v, k):
    out = np.zeros_like(v)
    at = np.argsort(-np.abs(v), kind="stable")[:k]
    out[at] = v[at]
    return out


def coordinates(key, workers, n, k):
    """Those that each worker's RandK keeps."""
    keys = jax.random.split(key, workers)
    return [np.asarray(jax.random.permutation(key, n)[:k]) for key in keys]


def unbiased(rows, kept):
    """The drawn coordinates of each row, scaled up by n / k."""
    out = np.zeros_like(rows)
    for i, at in enumerate(kept):
        out[i, at] = rows[i, at] * rows.shape[1] / len(at)
    return out


def quantised(rows, key, levels):
    """QSGD of each row: its magnitude between two levels, up with the right chance."""
    out = np.zeros_like(rows)
    for i, own in enumerate(jax.random.split(key, len(rows))):
        v, norm = rows[i], np.linalg.norm(rows[i])
        u = np.asarray(jax.random.uniform(own, v.shape))
        if norm > 0:
            low = np.floor(levels * np.abs(v) / norm)
            up = u < levels * np.abs(v) / norm - low
            out[i] = norm * np.sign(v) * (low + up) / levels
    return out
