"""Trust-region Newton-CG: Steihaug (1983); Nocedal and Wright, algorithm 7.2."""

import numpy as np
from numpy.linalg import norm


def iterates(oracles, x0, steps, *, radius):
    x, out, first = x0, [], norm(oracles.grad(x0))
    for _ in range(steps):
        f, g, H = oracles.value(x), oracles.grad(x), oracles.hess(x)
        p, r, d, edge = 0 * x, g, -g, False
        while not edge and norm(r) > min(0.5, np.sqrt(norm(g) / first)) * norm(g):
            a = r @ r / (d @ H @ d)
            edge = a <= 0 or norm(p + a * d) >= radius
            if edge:
                a = np.roots([d @ d, 2 * p @ d, p @ p - radius**2]).max()
            old, p, r = r @ r, p + a * d, r + a * H @ d
            d = -r + r @ r / old * d
        rho = (f - oracles.value(x + p)) / -(g @ p + p @ H @ p / 2)
        x = x + p if rho > 1e-4 else x
        if rho < 0.25:
            radius = norm(p) / 2
        elif rho > 0.75 and edge:
            radius = 2 * radius
        out.append(x)
    return out
