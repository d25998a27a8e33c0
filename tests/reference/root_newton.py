"""Hanzely, Abdukhakimov and Takac (2024): Root Newton, Universal Newton."""

import numpy as np


def iterates(oracles, x0, steps, *, M=None, q=None, theta=None, grow=None):
    x, out = x0, []
    for _ in range(steps):
        inverse = np.linalg.inv(oracles.hess(x))
        g = oracles.grad(x)
        n = inverse @ g
        if M is not None:
            power = 1 / (q - 1)
            theta = (9 * M) ** power * np.sqrt(g @ n) ** ((q - 2) * power)
            trial = x - n / (1 + theta)
        else:
            theta = theta / grow
            while True:
                trial = x - n / (1 + theta)
                h = oracles.grad(trial)
                if h @ n >= h @ inverse @ h * (1 + theta) / (2 * theta):
                    break
                theta = theta * grow
        x = trial
        out.append(x)
    return out
