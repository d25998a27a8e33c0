"""Monotonic Frank-Wolfe: Carderera, Besancon and Pokutta (2021), algorithm 1."""

import numpy as np


def iterates(oracles, x0, steps):
    x, out = x0, []
    for t in range(steps):
        v = oracles.lmo(oracles.grad(x))
        y = x + 2 / (t + 2) * (v - x)
        if np.isfinite(oracles.f(y)) and oracles.f(y) <= oracles.f(x):
            x = y
        out.append(x)
    return out
