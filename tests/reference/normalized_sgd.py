"""Normalised SGD with momentum and NIGT: Cutkosky and Mehta (2020)."""

import numpy as np
import sum_case
from reference import _draws

CASES = [
    _draws.case(sum_case.problem(), 12, told={"batch": 5}),
    _draws.case(sum_case.problem(), 12, learning_rate=0.2, momentum=0.6, batch=7),
    _draws.case(
        sum_case.problem(), 12, learning_rate=0.1, momentum=0.7, batch=3, transport=True
    ),
]


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=0.01, momentum=0.9,
    transport=False,
):  # fmt: skip
    x, old, m, out = x0, x0, None, []
    for t in range(steps):
        ahead = momentum / (1 - momentum) * (x - old) if transport else 0.0
        g = oracles.term_gradients(x + ahead)[take(t, batch)].mean(axis=0)
        m = g if m is None else momentum * m + (1 - momentum) * g
        x, old = x - learning_rate * m / np.linalg.norm(m), x
        out.append(x)
    return out
