"""L-BFGS: Liu and Nocedal (1989), algorithm 2.1 with scaling M3, on a quadratic.

There the approximate Wolfe conditions bound the slope alone, and the second trial
of any interpolation is the exact minimiser along the line.
"""

import numpy as np


def iterates(oracles, x0, steps, *, memory):
    x, g, pairs, out = x0, oracles.grad(x0), [], []
    for _ in range(steps):
        H = np.eye(x.size) / np.linalg.norm(oracles.grad(x0))
        if pairs:
            s, y = pairs[-1]
            H = np.eye(x.size) * (s @ y) / (y @ y)
        for s, y in pairs:
            V = np.eye(x.size) - np.outer(y, s) / (s @ y)
            H = V.T @ H @ V + np.outer(s, s) / (s @ y)
        d, a = -H @ g, 1.0
        slope, after = g @ d, oracles.grad(x + d) @ d
        if not 0.9 * slope <= after <= (2e-4 - 1) * slope:
            a = slope / (slope - after)
        x, old = x + a * d, g
        g = oracles.grad(x)
        pairs = [*pairs, (a * d, g - old)][-memory:]
        out.append(x)
    return out
