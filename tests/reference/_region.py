"""Steps in a trust region: More and Sorensen (1983), the easy case by bisection."""

import numpy as np
from scipy.optimize import brentq


def step(B, g, radius, size):
    """(argmin g.p + p.Bp / 2 over ||p|| <= radius, whether it ends on the boundary).

    An infinite radius binds where B is not definite: there it is banach's own choice,
    the larger of ||x||, which is `size`, and ||g|| / ||B||.
    """

    def inner(lam):
        return -np.linalg.solve(B + lam * np.eye(g.size), g)

    values = np.linalg.eigvalsh(B)
    least = values[0]
    if least > 0 and np.linalg.norm(inner(0.0)) <= radius:
        return inner(0.0), False
    if np.isinf(radius):
        radius = max(size, np.linalg.norm(g) / np.abs(values).max())
    low, high = max(-least, 0) * (1 + 1e-10) + 1e-10, np.linalg.norm(g) / radius - least
    gap = lambda lam: 1 / radius - 1 / np.linalg.norm(inner(lam))  # noqa: E731
    return inner(brentq(gap, low, high, xtol=1e-300, rtol=1e-15)), True


def resized(radius, size, rho, bound):
    """The next radius after a step of this size (Nocedal and Wright, algorithm 4.1).

    Half of the step after a poor one, banach's own; twice after a good one that was
    bound.
    """
    radius = size if bound else radius
    if rho < 0.25:
        return min(size, radius) / 2
    return 2 * radius if rho > 0.75 and bound else radius
