"""Tang et al. (2024), algorithm 1, with exact linear solves on the complement."""

import numpy as np


def iterates(oracles, x0, steps, *, sweeps, keep):
    C, a, b, eps = oracles.C, oracles.a, oracles.b, oracles.eps
    (m, n), z, out = C.shape, np.concatenate(x0), []
    plan = lambda z: np.outer(a, b) * np.exp((z[:m, None] + z[m:] - C) / eps)  # noqa: E731
    dual = lambda z: eps * plan(z).sum() - a @ z[:m] - b @ z[m:]  # noqa: E731
    W = np.linalg.svd(np.concatenate([np.zeros(m), np.ones(n)])[None])[2][1:].T
    for _ in range(sweeps):
        z[:m] -= eps * np.log(plan(z).sum(1) / a)
        z[m:] -= eps * np.log(plan(z).sum(0) / b)
    for _ in range(steps):
        P = plan(z)
        S = np.where(P >= np.sort(P.ravel())[-keep], P, 0)
        H = np.block([[np.diag(P.sum(1)), S], [S.T, np.diag(P.sum(0))]]) / eps
        grad = np.concatenate([P.sum(1) - a, P.sum(0) - b])
        d, step = -W @ np.linalg.solve(W.T @ H @ W, W.T @ grad), 1.0
        while dual(z + step * d) > dual(z) + 1e-4 * step * grad @ d:
            step /= 2
        z = z + step * d
        t = (z[:m].sum() - z[m:].sum()) / (m + n)
        z = np.concatenate([z[:m] - t, z[m:] + t])
        out.append((z[:m], z[m:]))
    return out
