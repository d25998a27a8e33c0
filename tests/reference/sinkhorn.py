"""Cuturi (2013), algorithm 1: scale the rows and columns of K = a b' exp(-C / eps)."""

import numpy as np
from reference._case import Case
from reference._transport import centred, scaled, transport

CASES = [
    Case(*transport(), told={"decay": 1.0, "first": 1.0}),
    Case(*transport(0.005), given={"decay": 0.6}, told={"first": 1.0}),
    Case(*transport(), given={"decay": 0.5, "first": 2.0}),
]


def iterates(oracles, x0, steps, *, decay, first):
    C, a, b = oracles.C, oracles.a, oracles.b
    eps, g, out = scaled(oracles, decay, first), x0[a.size :], []
    for _ in range(steps):
        K, v = np.exp(-C / eps), np.exp(g / eps)
        u = 1 / (K @ (b * v))
        v = 1 / (K.T @ (a * u))
        f, g = eps * np.log(u), eps * np.log(v)
        out.append(centred(f, g))
        eps = max(oracles.eps, eps * decay)
    return out
