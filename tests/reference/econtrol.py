"""Compressed gradient descent with error control, Top-K, full gradients."""

import numpy as np
from reference import _workers
from reference._case import Case

from banach.methods.distributed._compressors import TopK

# Of 20 entries 0.1 are two: delta = 0.1.
_r = np.sqrt(0.9)
_own = {"step_size": (1 - _r) / _workers.wide_L(), "eta": 0.1 / (3 * _r * (1 + _r))}
_given = {"step_size": 0.05, "compressor": TopK(1)}
CASES = [
    Case(*_workers.case(), given=_given | {"eta": 0.0}),
    Case(*_workers.case(), given=_given | {"eta": 0.2}),
    Case(*_workers.wide(), told=_own | {"compressor": TopK(2)}, steps=20),
]
EXEMPT = {"else 0.0": "nothing is held back where nothing is compressed"}


def top(v, k):
    out = np.zeros_like(v)
    at = np.argsort(-np.abs(v), kind="stable")[:k]
    out[at] = v[at]
    return out


def iterates(oracles, x0, steps, *, step_size, eta, compressor):
    x, h, out = x0, oracles.local_grad(x0), []
    e = np.zeros_like(h)
    for _ in range(steps):
        g = oracles.local_grad(x)
        for i in range(len(h)):
            d = top(eta * e[i] + g[i] - h[i], compressor.k)
            e[i] += g[i] - h[i] - d
            h[i] += d
        x = x - step_size * h.mean(axis=0)
        out.append(x)
    return out
