"""CG_DESCENT: Hager and Zhang (2005), equations 1.5-1.7, on a quadratic.

There the approximate Wolfe conditions bound the slope alone, and the second trial
of any interpolation is the exact minimiser along the line.
"""

import numpy as np


def iterates(oracles, x0, steps, *, curvature):
    x, g, out = x0, oracles.grad(x0), []
    d, a = -g, 0.01 * np.max(np.abs(x0)) / np.max(np.abs(g))
    for _ in range(steps):
        slope, after = g @ d, oracles.grad(x + a * d) @ d
        if not curvature * slope <= after <= (0.2 - 1) * slope:
            a = np.clip(slope / (slope - after), 0, 10) * a
            after = oracles.grad(x + a * d) @ d
            if after < curvature * slope:
                a = slope / (slope - after) * a
        x, old = x + a * d, g
        g = oracles.grad(x)
        y = g - old
        beta = (y - 2 * d * (y @ y) / (d @ y)) @ g / (d @ y)
        floor = -1 / (np.linalg.norm(d) * min(0.01, np.linalg.norm(old)))
        d = -g + max(beta, floor) * d
        a = a * slope / (g @ d)
        out.append(x)
    return out
