"""Algorithms 1 and 2 of Chambolle and Pock (2011), f by its gradient (Condat, Vu)."""

import numpy as np
from reference import _structured
from reference._case import Case

_with, _without = _structured.fused(), _structured.elastic()
_L, _n = _with[1].L, _with[1].norm
CASES = [
    Case(*_with, told={"tau": 1 / (1.5 * _L), "sigma": _L / _n**2, "gamma": 0.0}),
    Case(*_without, told={"tau": 1 / _n, "sigma": 1 / _n, "gamma": 0.0}),
    Case(*_without, given={"tau": 0.3, "sigma": 0.2, "gamma": 0.4}),
]


def iterates(oracles, x, steps, *, tau, sigma, gamma):
    K, y, bar, out = oracles.K, 0.0, x, []
    for _ in range(steps):
        w = y + sigma * K @ bar
        y = w - sigma * oracles.outer_prox(w / sigma, 1 / sigma)
        new = oracles.prox(x - tau * (oracles.grad(x) + K.T @ y), tau)
        theta = 1 / np.sqrt(1 + 2 * gamma * tau)
        tau, sigma = theta * tau, sigma / theta
        bar, x = new + theta * (new - x), new
        out.append(x)
    return out
