"""L-BFGS: Liu and Nocedal (1989), algorithm 2.1 with scaling M3, on a quadratic.

There the search has a closed form; the first step has length 1.
"""

import numpy as np
from reference import _quadratic_search
from reference._case import Case, bowl

CASES = [
    Case(*bowl(), told={"memory": 10}, steps=8),
    Case(*bowl(), given={"memory": 3}),
    Case(*bowl(far=50.0), given={"memory": 1}),
]


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
        d = -H @ g
        a = _quadratic_search.length(oracles, x, d, 1.0, decrease=1e-4, curvature=0.9)
        x, old = x + a * d, g
        g = oracles.grad(x)
        pairs = [*pairs, (a * d, g - old)][-memory:]
        out.append(x)
    return out
