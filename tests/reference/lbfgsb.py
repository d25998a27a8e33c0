"""L-BFGS-B: Byrd, Lu, Nocedal and Zhu (1995), algorithms CP and 3.1, with dense B.

B by BFGS updates of theta I, the Cauchy point segment by segment, the subspace by a
solve. Ours is the search: t halves until Armijo's condition holds.
"""

import numpy as np
from reference._boxes import bumpy, hilly
from reference._case import Case

CASES = [
    Case(*hilly(-0.5, 0.8), told={"memory": 10}, steps=8),
    Case(*hilly(-np.inf, 0.3), given={"memory": 2}, steps=9),
    Case(*bumpy(), given={"memory": 3}, steps=12),
]


def matrix(pairs, n):
    theta = 1.0 if not pairs else pairs[-1][1] @ pairs[-1][1] / (
        pairs[-1][0] @ pairs[-1][1]
    )  # fmt: skip
    B = theta * np.eye(n)
    for s, y in pairs:
        B = B - np.outer(B @ s, s @ B) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    return B


def cauchy(B, x, g, low, high):
    side = np.where(g > 0, low, high)
    with np.errstate(all="ignore"):
        end = np.where(g == 0, np.inf, (x - side) / g)
    t = 0.0
    for after in [*np.unique(end[end > 0]), np.inf]:
        d = np.where(end > t, -g, 0)
        z = np.where(end > t, x - t * g, side) - x
        slope, bend = g @ d + d @ B @ z, d @ B @ d
        if slope >= 0:
            break
        if t - slope / bend < after:
            t -= slope / bend
            break
        t = after
    return np.where(end <= t, side, x - t * g)


def iterates(oracles, x0, steps, *, memory):
    (low, high), x, pairs, out = oracles.sides, x0, [], []
    for _ in range(steps):
        f, g, B = oracles.value(x), oracles.grad(x), matrix(pairs, x.size)
        c = cauchy(B, x, g, low, high)
        F = np.flatnonzero((c > low) & (c < high))
        d, end = np.zeros(x.size), np.full(x.size, np.inf)
        d[F] = -np.linalg.solve(B[np.ix_(F, F)], (g + B @ (c - x))[F])
        moves = d != 0
        end[moves] = (np.where(d > 0, high, low) - c)[moves] / d[moves]
        a = min(1.0, end.min())
        d, t = c + a * d - x, 1.0
        while not oracles.value(x + t * d) <= f + 1e-4 * t * g @ d:
            t /= 2
        s, y = t * d, oracles.grad(x + t * d) - g
        if s @ y > np.finfo(float).eps * (y @ y):
            pairs = [*pairs, (s, y)][-memory:]
        x = x + s
        out.append(x)
    return out
