"""Two-metric projection for the Lasso, on all columns (Bertsekas; Schmidt 2010)."""

import numpy as np


def iterates(A, y, lam, c, steps):
    """minimise ||A c - y||^2 / 2 + lam ||c||_1: c after each step."""
    out = []
    for _ in range(steps):
        g = A.T @ (A @ c - y)
        s = np.sign(c) - (c == 0) * np.sign(g) * (abs(g) > lam)
        S = np.flatnonzero(s)
        for _ in range(5):
            v = g[S] + lam * s[S]
            d = -np.linalg.solve(A[:, S].T @ A[:, S], v)
            wrong = (c[S] == 0) & (d * s[S] < 0)
            if not wrong.any():
                break
            S = S[~wrong]

        def objective(c):
            return np.sum((A @ c - y) ** 2) / 2 + lam * np.sum(abs(c))

        for t in (1, 1 / 2, 1 / 4, 1 / 8):
            new = np.zeros(c.size)
            new[S] = np.where((c[S] + t * d) * s[S] > 0, c[S] + t * d, 0)
            if objective(new) <= objective(c) + 1e-4 * v @ (new[S] - c[S]):
                break
        c = new
        out.append(c)
    return out
