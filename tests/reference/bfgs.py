"""BFGS: Nocedal and Wright (2006), algorithm 6.1, equations 6.17 and 6.20.

On a quadratic, where the search has a closed form; the first step has length 1.
"""

import numpy as np
from reference._case import Case, bowl
from reference._quadratic_search import length

CASES = [
    Case(*bowl(), told={"curvature": 0.9}, steps=8),
    # Here the first trial is far too short.
    Case(*bowl(far=50.0), told={"curvature": 0.9}, steps=8),
    Case(*bowl(scale=0.2), given={"curvature": 0.3}, steps=6),
]


def iterates(oracles, x0, steps, *, curvature):
    return quasi_newton(oracles, x0, steps, curvature, update)


def quasi_newton(oracles, x0, steps, curvature, update):
    """x+ = x - a H g with any update of H."""
    x, g, eye, out = x0, oracles.grad(x0), np.eye(x0.size), []
    H = eye / np.linalg.norm(g)
    for k in range(steps):
        d = -H @ g
        a = length(oracles, x, d, 1.0, decrease=1e-4, curvature=curvature)
        s = a * d
        y = oracles.grad(x + s) - g
        if k == 0:
            H = (s @ y) / (y @ y) * eye
        if s @ y > 2.0**-52 * np.linalg.norm(s) * np.linalg.norm(y):
            H = update(H, s, y)
        x, g = x + s, g + y
        out.append(x)
    return out


def update(H, s, y):
    V = np.eye(s.size) - np.outer(y, s) / (s @ y)
    return V.T @ H @ V + np.outer(s, s) / (s @ y)
