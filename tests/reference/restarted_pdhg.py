"""Algorithm 1 of Applegate et al. with restarts of fixed frequency, by whole epochs."""

import numpy as np
from reference import _structured
from reference._case import Case

_with, _without = _structured.fused(), _structured.elastic()
_L, _n = _with[1].L, _with[1].norm
CASES = [
    Case(*_with, told={"tau": 1 / (1.5 * _L), "sigma": _L / _n**2, "period": 64}),
    Case(*_without, told={"tau": 1 / _n, "sigma": 1 / _n, "period": 64}, steps=70),
    Case(*_without, given={"tau": 0.3, "sigma": 0.2, "period": 5}),
]


def iterates(oracles, x, steps, *, tau, sigma, period):
    K, out, y = oracles.K, [], np.zeros(len(oracles.K))
    while len(out) < steps:
        xs, ys = [], []
        for _ in range(period):
            new = oracles.prox(x - tau * (oracles.grad(x) + K.T @ y), tau)
            w = y + sigma * K @ (2 * new - x)
            y = w - sigma * oracles.outer_prox(w / sigma, 1 / sigma)
            x = new
            xs.append(x)
            ys.append(y)
            out.append(np.mean(xs, axis=0))
        x, y = np.mean(xs, axis=0), np.mean(ys, axis=0)
    return out[:steps]
