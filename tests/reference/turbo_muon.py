"""Turbo-Muon: Boissin et al. (2025); the four triples are those of its code."""

import numpy as np
from reference import _matrices

_some = {"learning_rate": 0.03, "momentum": 0.8, "weight_decay": 0.3, "batch": 5}
CASES = [
    _matrices.case(bias=False, **_some),
    _matrices.case(bias=False, **_some, nesterov=False),
    _matrices.case(bias=False, batch=5),
]
TRIPLES = [
    (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012),
]  # fmt: skip


def orthogonal(X):
    S = X @ X.T
    X = X / np.sqrt(np.abs(S).sum(axis=1))[:, None]
    for a, b, c in TRIPLES:
        S = X @ X.T
        X = a * X + b * S @ X + c * S @ S @ X
    return X


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, momentum=0.95, nesterov=True,
    weight_decay=0.0,
):  # fmt: skip
    (x,), m, out = _matrices.split(x0), 0.0, []
    for t in range(1, steps + 1):
        (g,) = _matrices.gradients(x.ravel(), take, batch, t)
        m = momentum * m + g
        X = orthogonal(momentum * m + g if nesterov else m)  # 3 x 4: rows are shorter
        x = x - learning_rate * (weight_decay * x + np.sqrt(4 / 3) * X)
        out.append(x)
    return out
