"""Semenov, Jaggi and Doikov (2025), algorithm 1 with adaptive gamma."""

import numpy as np


def iterates(oracles, x0, steps, *, gamma, metric, curvature):
    x, out = x0, []
    inverse = np.linalg.inv(metric)
    for _ in range(steps):
        g, C = oracles.grad(x), curvature(x)
        while True:
            lam = np.sqrt(g @ inverse @ g) / gamma
            trial = x - np.linalg.solve(C + lam * metric, g)
            h = oracles.grad(trial)
            if oracles.f(x) - oracles.f(trial) >= h @ inverse @ h / (8 * lam):
                break
            gamma = gamma / 2
        x, gamma = trial, 2 * gamma
        out.append(x)
    return out
