"""DFP: Fletcher and Powell (1963), as in Nocedal and Wright (2006), equation 6.15.

On a quadratic, where the search has a closed form. Scaled and searched as the
reference of bfgs is.
"""

import numpy as np
from reference._case import Case, bowl
from reference.bfgs import quasi_newton

CASES = [
    Case(*bowl(), told={"curvature": 0.1}, steps=5),
    Case(*bowl(scale=0.1), told={"curvature": 0.1}, steps=5),
    Case(*bowl(scale=0.3, far=5.0), told={"curvature": 0.1}, steps=5),
    Case(*bowl(), given={"curvature": 0.8}, steps=8),
    Case(*bowl(scale=0.2), given={"curvature": 0.4}, steps=8),
]


def iterates(oracles, x0, steps, *, curvature):
    return quasi_newton(oracles, x0, steps, curvature, update)


def update(H, s, y):
    Hy = H @ y
    return H - np.outer(Hy, Hy) / (y @ Hy) + np.outer(s, s) / (s @ y)
