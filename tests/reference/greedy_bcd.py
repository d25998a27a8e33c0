"""Greedy blocks: Nutini, Laradji and Schmidt (2022), rules GS and GSL.

The Newton step and the fallback are banach's forms of them, for soft thresholds.
"""

from types import SimpleNamespace

import numpy as np
from reference._case import Case, lasso, logarithms


def _lasso():
    problem, o = lasso()
    H = np.stack([o.grad(e) - o.grad(np.zeros(4)) for e in np.eye(4)])
    return problem, SimpleNamespace(**vars(o), hess=lambda x: H, lam=0.4)


def _logs(x0):
    problem, o = logarithms(x0)
    w = np.arange(1.0, len(x0) + 1)
    hess = lambda x: np.diag(w / x**2)  # noqa: E731
    return problem, SimpleNamespace(**vars(o), hess=hess, lam=1.0)


CASES = [
    Case(*_lasso(), {"block": 2}, {"rule": "gsl"}, steps=4),
    Case(*_lasso(), {"block": 1, "rule": "gs"}, steps=8),
    Case(*_lasso(), {"block": 3}, {"rule": "gsl"}, steps=3),
    Case(*_logs([0.1, 3.0, 9.0]), {"block": 2, "rule": "gs"}, steps=5),
    # The first steps leave the domain.
    Case(*_logs([0.1, 5.0, 9.0]), {"block": 3}, {"rule": "gsl"}, 5),
]


def iterates(o, x0, steps, *, block, rule):
    x, c, out = x0, 1.0, []
    for _ in range(steps):
        g, H = o.grad(x), o.hess(x)
        L = np.diag(H)
        v = x - g / L
        smooth = (np.abs(v) > o.lam / L) * 1.0
        r = x - o.prox(v, 1 / L)
        b = np.argsort(-np.abs(r) * (L if rule == "gs" else np.sqrt(L)))[:block]
        B, ways = H[np.ix_(b, b)], []
        y, step = x.copy(), 1 / (c * np.abs(B).sum(axis=1).max())
        M = np.diag(1 - smooth[b]) + np.diag(smooth[b] / L[b]) @ B
        y[b] -= np.linalg.solve(M, r[b])
        # The subgradient at p = x - r is L (v - p) = L r - g.
        for v, t in ((y + (L * r - g) / L, 1 / L), (x - step * g, step)):
            new = x.copy()
            new[b] = o.prox(v, t)[b]
            with np.errstate(invalid="ignore"):
                rise = o.value(new) - o.value(x) + ((v - new) / t)[b] @ (new - x)[b]
            ways.append((rise, new))
        c = max(c / 2, 1.0) if ways[1][0] <= 0 else 2 * c
        rise, new = min(ways, key=lambda way: way[0])
        x = new if rise <= 0 else x
        out.append(x)
    return out
