"""Cuturi (2013), algorithm 1: scale the rows and columns of K = a b' exp(-C / eps)."""

import numpy as np


def iterates(oracles, x0, steps):
    C, a, b, eps = oracles.C, oracles.a, oracles.b, oracles.eps
    K, out = np.exp(-C / eps), []
    v = np.exp(x0[1] / eps)
    for _ in range(steps):
        u = 1 / (K @ (b * v))
        v = 1 / (K.T @ (a * u))
        f, g = eps * np.log(u), eps * np.log(v)
        t = (f.sum() - g.sum()) / (f.size + g.size)
        out.append((f - t, g + t))
    return out
