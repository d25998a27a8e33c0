"""The entropic mirror descent algorithm: Beck and Teboulle (2003), section 5.

Ours: L is the largest entry of a gradient so far; the point is the best so far.
"""

import numpy as np
from reference._case import Case
from reference._vertices import fitted

CASES = [
    Case(*fitted(False, [0.2] * 5), steps=20),
    Case(*fitted(False, [0.9, 0.05, 0.02, 0.02, 0.01]), steps=20),
]


def iterates(oracles, x0, steps):
    x, best, out, L = x0, x0, [], 0.0
    for k in range(1, steps + 1):
        g = oracles.grad(x)
        L = max(L, np.abs(g).max())
        x = x * np.exp(-np.sqrt(2 * np.log(x.size)) / (L * np.sqrt(k)) * g)
        x = x / x.sum()
        best = min(best, x, key=oracles.value)
        out.append(best)
    return out
