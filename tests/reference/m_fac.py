"""M-FAC: Frantar et al. (2021), with the Fisher matrix formed and inverted."""

import numpy as np
from reference import _matrices

_some = {"learning_rate": 0.02, "damping": 0.03, "momentum": 0.6, "batch": 5}
CASES = [
    _matrices.case(12, **_some, window=4),
    _matrices.case(5, batch=5),
]


def iterates(
    o, x0, steps, *, take, batch, learning_rate=1e-2, damping=1e-3, momentum=0.9,
    window=64,
):  # fmt: skip
    x, v, seen, out = x0, 0.0, [], []
    for t in range(1, steps + 1):
        g = _matrices.joined(_matrices.gradients(x, take, batch, t))
        seen = [*seen, g][-window:]
        F = damping * np.eye(x.size) + sum(np.outer(r, r) for r in seen) / window
        v = momentum * v + (1 - momentum) * np.linalg.solve(F, g)
        x = x - learning_rate * v
        out.append(x)
    return out
