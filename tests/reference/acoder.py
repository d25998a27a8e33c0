"""A-CODER: Lin, Song and Diakonikolas (2023), algorithm 1."""

import math

import numpy as np
from reference._case import Case, lasso, logarithms

_PAIR = {"lipschitz": 30.0 * math.sqrt(2), "mu": 0.0, "blocks": 2}
CASES = [
    Case(*lasso(L=30.0), told=_PAIR, steps=40),
    Case(*lasso(), given={"lipschitz": 60.0, "mu": 0.0, "blocks": 4}, steps=40),
    Case(*lasso(), given={"lipschitz": 40.0, "mu": 0.3, "blocks": 3}),
    Case(*lasso(L=25.0), {"blocks": 1}, {"lipschitz": 25.0, "mu": 0.0}),
    Case(*lasso(L=25.0), {"blocks": 3}, {"lipschitz": 50.0, "mu": 0.0}),
    Case(*logarithms([1.0, 2.0, 3.0]), {"lipschitz": 9.0}, {"mu": 0.0, "blocks": 2}),
]


def iterates(oracles, x0, steps, *, lipschitz, mu, blocks):
    runs = [
        [i for i in range(len(x0)) if i * blocks // len(x0) == j] for j in range(blocks)
    ]
    y, v, z, out = x0.copy(), x0.copy(), np.zeros_like(x0), []
    a, A, e = 0.0, 0.0, np.zeros_like(x0)
    for _ in range(steps):
        r = 2 * (1 + mu * A) / (5 * lipschitz)
        # The positive root of a^2 = r (A + a).
        a_new = max(np.roots([1.0, -r, -r * A]).real)
        A_new = A + a_new
        x = A / A_new * y + a_new / A_new * v
        y_old, y, p = y, x.copy(), np.zeros_like(x)
        for j in reversed(range(blocks)):
            b = runs[j]
            p[b] = oracles.grad(y)[b]
            q = p[b] + a / a_new * e[b]
            z[b] = z[b] + a_new * q
            v[b] = oracles.prox(x0 - z, A_new)[b]
            y[b] = A / A_new * y_old[b] + a_new / A_new * v[b]
        e, a, A = oracles.grad(x) - p, a_new, A_new
        out.append(y.copy())
    return out
