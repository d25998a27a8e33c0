"""Gauss-Newton: Bjorck (1996), section 9.2.1, with the rule of Armijo and Goldstein."""

import numpy as np
from reference._case import Case, fit, valley

CASES = [
    Case(*valley([-1.2, 1.0]), told={"share": 0.5}, steps=8),
    Case(*fit([1.0, 3.0, 0.0]), told={"share": 0.5}, steps=6),
    Case(*fit([3.0, 0.2, 2.0]), given={"share": 0.05}, steps=5),
]


def iterates(oracles, x0, steps, *, share):
    x, out = x0, []
    for _ in range(steps):
        r, J = oracles.residual(x), oracles.jacobian(x)
        D = np.linalg.norm(J, axis=0)
        p = np.linalg.lstsq(J / D, -r)[0] / D
        a, least = 1.0, share * np.sum((J @ p) ** 2)
        while not r @ r - np.sum(oracles.residual(x + a * p) ** 2) >= a * least:
            a /= 2
        x = x + a * p
        out.append(x)
    return out
