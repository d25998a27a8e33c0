"""Monotonic Frank-Wolfe: Carderera, Besancon and Pokutta (2021), algorithm 1."""

import numpy as np
from reference._case import Case, logarithms

# Refused: the first step, at whose vertex f is undefined, and 38 on which f rises.
CASES = [Case(*logarithms([0.01] * 5 + [0.95], simplex=True), steps=60)]


def iterates(oracles, x0, steps):
    x, out = x0, []
    for t in range(steps):
        v = oracles.lmo(oracles.grad(x))
        y = x + 2 / (t + 2) * (v - x)
        if np.isfinite(oracles.value(y)) and oracles.value(y) <= oracles.value(x):
            x = y
        out.append(x)
    return out
