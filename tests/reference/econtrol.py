"""Compressed gradient descent with error control, Top-K, full gradients."""

import numpy as np


def top(v, k):
    out = np.zeros_like(v)
    at = np.argsort(-np.abs(v), kind="stable")[:k]
    out[at] = v[at]
    return out


def iterates(oracles, x0, steps, *, gamma, eta, k):
    x, xs = np.array(x0), []
    h = np.array(oracles.local_grad(x))
    e = np.zeros_like(h)
    for _ in range(steps):
        g = oracles.local_grad(x)
        for i in range(len(h)):
            d = top(eta * e[i] + g[i] - h[i], k)
            e[i] += g[i] - h[i] - d
            h[i] += d
        x = x - gamma * h.mean(axis=0)
        xs.append(x)
    return xs
