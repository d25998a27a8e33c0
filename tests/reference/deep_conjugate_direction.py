"""DCDM: Kaneda et al. (2023), algorithm 1, with r by recurrence; no restart."""

import numpy as np


def iterates(A, b, x0, steps, *, network, memory=2):
    x, r, past, out = x0, b - A @ x0, [], []
    for _ in range(steps):
        d = network(r / np.linalg.norm(r))
        for old in past[-memory:]:
            d = d - (d @ A @ old) / (old @ A @ old) * old
        a = (r @ d) / (d @ A @ d)
        x, r = x + a * d, r - a * (A @ d)
        past.append(d)
        out.append(x)
    return out
