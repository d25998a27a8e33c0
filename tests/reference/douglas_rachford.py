"""Eckstein and Bertsekas (1992), F the graph of K and a quadratic, by dense solves."""

import numpy as np
from reference import _structured
from reference._case import Case

_with, _without = _structured.fused(), _structured.elastic()
CASES = [
    Case(*_with, told={"step_size": 1 / _with[1].L, "norm": _with[1].norm,
                       "relaxation": 1.0}),
    Case(*_without, told={"step_size": 1.0, "norm": _with[1].norm, "relaxation": 1.0}),
    Case(*_with, given={"step_size": 0.3, "norm": 1.7, "relaxation": 1.4}),
]  # fmt: skip


def iterates(oracles, x, steps, *, step_size, norm, relaxation):
    K, t, m, out = oracles.K, step_size, step_size * norm**2, []
    M = t * oracles.H + np.eye(x.size) + K.T @ K / norm**2
    a, b = x, K @ x
    for _ in range(steps):
        u = np.linalg.solve(M, a + K.T @ b / norm**2 - t * oracles.c)
        v = oracles.prox(2 * u - a, t)
        w = oracles.outer_prox(2 * K @ u - b, m)
        a, b = a + relaxation * (v - u), b + relaxation * (w - K @ u)
        out.append(v)
    return out
