"""Non-Euclidean trust region: Kovalev (2025), algorithm 1 with a = 1 - momentum."""

import numpy as np
from reference import _matrices

_some = {"learning_rate": 0.03, "momentum": 0.8, "weight_decay": 0.3, "batch": 5}
CASES = [
    _matrices.case(**_some),
    _matrices.case(**_some, exact=True),
    _matrices.case(**_some, norm="linf"),
    _matrices.case(**_some, norm="l2"),
    _matrices.case(batch=5),
]


def polar(m, exact):
    if m.ndim < 2:
        return m / np.linalg.norm(m)
    if exact:
        U, _, V = np.linalg.svd(m, full_matrices=False)
        return U @ V
    X = m / np.sqrt(np.sum(m**2))
    for _ in range(5):
        XXX = X @ X.T @ X
        X = 3.4445 * X - 4.7750 * XXX + 2.0315 * X @ X.T @ XXX
    return X


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, norm="spectral", momentum=0.95,
    weight_decay=0.0, exact=False,
):  # fmt: skip
    x, m, out = x0, None, []
    for t in range(1, steps + 1):
        g = _matrices.joined(_matrices.gradients(x, take, batch, t))
        m = g if m is None else momentum * m + (1 - momentum) * g
        s = {
            "linf": lambda m: np.sign(m),
            "l2": lambda m: m / np.linalg.norm(m),
            "spectral": lambda m: _matrices.joined(
                [polar(v, exact) for v in _matrices.split(m)]
            ),
        }[norm](m)
        x = (1 - learning_rate * weight_decay) * x - learning_rate * s
        out.append(x)
    return out
