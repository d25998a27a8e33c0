"""Boyd et al. (2011), sections 3.1, 3.4.1 and 3.4.3, with rows M = [K / n; I]."""

import numpy as np
from reference import _structured
from reference._case import Case

_with, _without = _structured.fused(), _structured.elastic()
_n = _with[1].norm
_told = {"norm": _n, "alpha": 1.6}
CASES = [
    Case(*_with, told={"rho": _with[1].L, "adapt": 100} | _told),
    Case(*_without, given={"rho": 0.01}, told=_told | {"adapt": 100}, steps=20),
    Case(*_with, given={"rho": 2000.0, "norm": 1.7, "alpha": 1.1}, told={"adapt": 100}),
    Case(*_with, given={"rho": 2000.0, "adapt": 3}, told=_told),
    Case(*_with, given={"rho": 0.01, "adapt": 9}, told=_told),
]


def iterates(oracles, x, steps, *, rho, norm, alpha, adapt):
    M = np.vstack([oracles.K / norm, np.eye(x.size)])
    m, out = len(oracles.K), []
    s, p = M @ x, np.zeros(len(M))
    for k in range(steps):
        x = np.linalg.solve(oracles.H + rho * M.T @ M, rho * M.T @ (s - p) - oracles.c)
        v = alpha * M @ x + (1 - alpha) * s + p
        z = oracles.outer_prox(norm * v[:m], norm**2 / rho) / norm
        new = np.concatenate([z, oracles.prox(v[m:], 1 / rho)])
        p = v - new
        r, d = np.linalg.norm(M @ x - new), rho * np.linalg.norm(M.T @ (new - s))
        s = new
        if k < adapt and r > 10 * d:
            rho, p = 2 * rho, p / 2
        elif k < adapt and d > 10 * r:
            rho, p = rho / 2, 2 * p
        out.append(s[m:])
    return out
