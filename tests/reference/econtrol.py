"""Compressed gradient descent with error control, Top-K, full gradients."""

import numpy as np
from reference import _workers
from reference._case import Case

from banach.methods.distributed._compressors import TopK

# Of 20 entries 0.1 are two: delta = 0.1.
_r = np.sqrt(0.9)
_own = {
    "step_size": 1 / (_workers.wide_L() * (1 + _r / (1 - _r))),
    "eta": 0.1 / (3 * _r * (1 + _r)),
    "compressor": TopK(2),
}

CASES = [
    Case(*_workers.case(), given={"step_size": 0.05, "eta": eta, "compressor": TopK(1)})
    for eta in (0.0, 0.2)
] + [Case(*_workers.wide(), told=_own, steps=20)]
EXEMPT = {"else 0.0": "nothing is held back where nothing is compressed"}


def top(v, k):
    out = np.zeros_like(v)
    at = np.argsort(-np.abs(v), kind="stable")[:k]
    out[at] = v[at]
    return out


def iterates(oracles, x0, steps, *, step_size, eta, compressor):
    x, xs = np.array(x0), []
    h = np.array(oracles.local_grad(x))
    e = np.zeros_like(h)
    for _ in range(steps):
        g = oracles.local_grad(x)
        for i in range(len(h)):
            d = top(eta * e[i] + g[i] - h[i], compressor.k)
            e[i] += g[i] - h[i] - d
            h[i] += d
        x = x - step_size * h.mean(axis=0)
        xs.append(x)
    return xs
