"""Adafactor: Shazeer and Stern (2018), algorithms 4 and 5 with relative steps."""

import numpy as np
from reference import _matrix

_some = {"decay": 0.7, "clip": 0.6, "eps1": 1e-2, "eps2": 0.7, "batch": 5}
CASES = [
    _matrix.case((3, 2), 12, **_some, learning_rate=0.4, weight_decay=0.1),
    _matrix.case((2, 4), 12, learning_rate=0.1, relative=False, batch=5, eps2=0.4),
    _matrix.case((3, 2), 12, learning_rate=2.0, scaled=False, batch=5),
    _matrix.case((2, 3), 12, batch=5),
]
EXEMPT = {
    "eps1: Any": "1e-30 keeps a division by 0 away; the first case gives one that acts",
    "eps2: Any": "parameters of size below 1e-3; the cases give larger ones",
}


def rms(v):
    return np.sqrt(np.mean(v**2))


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=1e-2, decay=0.8, clip=1.0,
    eps1=1e-30, eps2=1e-3, weight_decay=0.0, relative=True, scaled=True,
):  # fmt: skip
    x, out = list(oracles.split(x0)), []
    R = C = v = 0.0
    for t in range(1, steps + 1):
        gW, gb = oracles.gradients(x, take(t - 1, batch))
        b = 1 - t**-decay
        R = b * R + (1 - b) * (gW**2 + eps1).mean(axis=1)
        C = b * C + (1 - b) * (gW**2 + eps1).mean(axis=0)
        v = b * v + (1 - b) * (gb**2 + eps1)
        us = [gW / np.sqrt(np.outer(R, C) / R.mean()), gb / np.sqrt(v)]
        rho = min(learning_rate, 1 / np.sqrt(t)) if relative else learning_rate
        for i, u in enumerate(us):
            u = u / max(1, rms(u) / clip)
            size = max(eps2, rms(x[i])) if scaled else 1
            x[i] = x[i] - rho * (size * u + weight_decay * x[i])
        out.append(_matrix.joined(x))
    return out
