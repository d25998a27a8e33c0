"""Projected Newton: Bertsekas (1982), with his Armijo rule along the arc.

Where H is not positive definite the least shift that makes a Cholesky factor is ours;
the cases stay where it is.
"""

import numpy as np
from reference._boxes import bumpy, hilly
from reference._case import Case

# The last begins at 0.005 and 0.02 from sides that it is pushed to.
CASES = [
    Case(*hilly(-0.5, 0.8), told={"margin": 0.01}, steps=6),
    Case(*hilly(-0.9, 0.3), given={"margin": 0.4}, steps=6),
    Case(*bumpy(), told={"margin": 0.01}, steps=12),
    Case(*bumpy([-1.45, 1.995, 0.52]), told={"margin": 0.01}, steps=4),
]


def iterates(oracles, x0, steps, *, margin):
    (low, high), x, out = oracles.sides, x0, []
    for _ in range(steps):
        f, g, H = oracles.value(x), oracles.grad(x), oracles.hess(x)
        e = min(margin, np.linalg.norm(x - np.clip(x - g, low, high)))
        I = ((x - low <= e) & (g > 0)) | ((high - x <= e) & (g < 0))  # noqa: E741
        F, p, t = np.flatnonzero(~I), np.zeros(x.size), 1.0
        p[I] = g[I] / np.diag(H)[I]
        p[F] = np.linalg.solve(H[np.ix_(F, F)], g[F])
        while True:
            new = np.clip(x - t * p, low, high)
            fall = t * g[F] @ p[F] + g[I] @ (x - new)[I]
            if f - oracles.value(new) >= 1e-4 * fall:
                break
            t /= 2
        x = new
        out.append(x)
    return out
