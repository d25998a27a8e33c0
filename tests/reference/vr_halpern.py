"""Cai, Alacaoglu and Diakonikolas (2024): algorithms 1 and 2, with given draws."""

import numpy as np


def cocoercive(o, z0, draws, *, step_size):
    z, F, out = z0, o.operator(z0), []
    for k, (coin, batch) in enumerate(draws):
        lam, old = 2 / (k + 4), z
        z = lam * z0 + (1 - lam) * o.resolvent(z - step_size * F, step_size)
        p = 4 / (k + 5) if k <= np.sqrt(o.n) else 4 / (np.sqrt(o.n) + 5)
        change = np.mean([o.one(i, z) - o.one(i, old) for i in batch], axis=0)
        F = o.operator(z) if coin < p else F + change
        out.append(z)
    return out


def lipschitz(o, z0, draws, *, step_size, L, p):
    z, out, q = z0, [], 0.9 * np.sqrt(p) / (2 * (1 + step_size * L))
    for k, inner in enumerate(draws):
        u = z
        A = lambda i, v: step_size * o.one(i, v) + v - u  # noqa: B023, E731
        v = w = old = u
        for coin, i in inner:
            step = np.mean([A(j, w) for j in range(o.n)], axis=0) + A(i, v) - A(i, old)
            v = o.resolvent((1 - p) * v + p * w - q * step, q * step_size)
            w, old = (v if coin < p else w), w
        z = z0 / (k + 2) + (k + 1) / (k + 2) * v
        out.append(z)
    return out
