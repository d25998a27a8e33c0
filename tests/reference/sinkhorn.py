"""Cuturi (2013), algorithm 1: scale the rows and columns of K = a b' exp(-C / eps).

Scaling eps, `decay` and `first`, is not his.
"""

from types import SimpleNamespace

import numpy as np
from reference._case import Case

from banach.kinds.transport.problem import Transport

M, N = 7, 6
rng = np.random.default_rng(3)
C = (rng.random((M, 1)) - rng.random(N)) ** 2 + 0.2 * rng.random((M, N))
A, B = (v / v.sum() for v in (rng.random(M) + 0.3, rng.random(N) + 0.3))


def transport(eps=0.02):
    """Of 7 x 6 entries: (problem, oracles)."""
    return Transport(C, A, B, eps), SimpleNamespace(C=C, a=A, b=B, eps=eps)


CASES = [
    Case(*transport(), told={"decay": 1.0, "first": 1.0}),
    Case(*transport(0.005), given={"decay": 0.6}, told={"first": 1.0}),
    Case(*transport(), given={"decay": 0.5, "first": 2.0}),
]


def iterates(oracles, x0, steps, *, decay, first):
    C, a, b, last = oracles.C, oracles.a, oracles.b, oracles.eps
    eps = max(last, first * a @ C @ b) if decay < 1 else last
    g, out = x0[a.size :], []
    for _ in range(steps):
        K, v = np.exp(-C / eps), np.exp(g / eps)
        u = 1 / (K @ (b * v))
        v = 1 / (K.T @ (a * u))
        f, g = eps * np.log(u), eps * np.log(v)
        t = (f.sum() - g.sum()) / (f.size + g.size)
        out.append(np.concatenate([f - t, g + t]))
        eps = max(last, eps * decay)
    return out
