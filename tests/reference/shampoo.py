"""Shampoo: Gupta, Koren and Singer (2018), algorithms 1 and 2."""

import numpy as np
from reference import _matrices

_some = {"learning_rate": 0.3, "eps": 0.02, "momentum": 0.6, "batch": 5}
CASES = [
    _matrices.case(**_some),
    _matrices.case(**_some, largest=3),
    _matrices.case(batch=5),
]


def power(H, p):
    if H.ndim == 1:
        return np.diag(H**p)
    w, V = np.linalg.eigh(H)
    return V @ np.diag(w**p) @ V.T


def iterates(
    o, x0, steps, *, take, batch, learning_rate=0.1, eps=1e-4, momentum=0.0,
    largest=1024,
):  # fmt: skip
    def whole(d):
        return d <= largest

    (W, b), out = _matrices.split(x0), []
    L, R, H = (eps * (np.eye if whole(d) else np.ones)(d) for d in (3, 4, 4))
    mW, mb = 0.0, 0.0
    for t in range(1, steps + 1):
        G, g = _matrices.gradients(_matrices.joined([W, b]), take, batch, t)
        L = L + (G @ G.T if whole(3) else np.diag(G @ G.T))
        R = R + (G.T @ G if whole(4) else np.diag(G.T @ G))
        H = H + (np.outer(g, g) if whole(4) else g**2)
        mW, mb = (momentum * m + (1 - momentum) * v for m, v in ((mW, G), (mb, g)))
        W = W - learning_rate * power(L, -1 / 4) @ mW @ power(R, -1 / 4)
        b = b - learning_rate * power(H, -1 / 2) @ mb
        out.append(_matrices.joined([W, b]))
    return out
