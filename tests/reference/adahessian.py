"""AdaHessian: Yao et al. (2021), equations 6-13 and algorithm 1."""

import numpy as np
import sum_case
from reference import _draws

_z = _draws.probes(normal=False)
_some = {"learning_rate": 0.2, "b1": 0.7, "b2": 0.8, "batch": 5, "eps": 0.03}
CASES = [
    _draws.case(sum_case.problem(), 12, _z, **_some, power=0.6, block=2, every=3),
    _draws.case(sum_case.problem(), 12, _z, **_some, weight_decay=0.2, block=0),
    _draws.case(sum_case.problem(), 12, _z, batch=5),
]


def mean_of_runs(D, block):
    if block == 1:
        return D
    size = block or len(D)
    parts = [D[i : i + size] for i in range(0, len(D), size)]
    return np.concatenate([np.full(len(p), p.mean()) for p in parts])


def iterates(
    oracles, x0, steps, *, take, z, batch, learning_rate=1e-2, b1=0.9, b2=0.999,
    eps=1e-4, power=1.0, weight_decay=0.0, block=1, every=1,
):  # fmt: skip
    x, m, v, renewed, out = x0, 0.0, 0.0, 0, []
    for t in range(1, steps + 1):
        g = oracles.term_gradients(x)[take(t - 1, batch)].mean(axis=0)
        m = b1 * m + (1 - b1) * g
        if (t - 1) % every == 0:
            D = mean_of_runs(z(t) * (sum_case.hessian(x) @ z(t)), block)
            v, renewed = b2 * v + (1 - b2) * D**2, renewed + 1
        mh, vh = m / (1 - b1**t), v / (1 - b2**renewed)
        step = mh / (np.sqrt(vh) ** power + eps) + weight_decay * x
        x = x - learning_rate * step
        out.append(x)
    return out
