"""Sophia-H: Liu et al. (2024), algorithms 1 and 3."""

import numpy as np
import sum_case
from reference import _draws

_z = _draws.probes(normal=True)
_some = {"learning_rate": 0.1, "b1": 0.7, "b2": 0.8, "batch": 5, "weight_decay": 0.2}
CASES = [
    _draws.case(sum_case.problem(), 12, _z, **_some, gam=2.0, every=3),
    _draws.case(sum_case.problem(), 12, _z, **_some, gam=0.5, eps=0.3, every=1),
    # Newton's steps at the end, and a Hessian that the default memory has not learnt.
    _draws.case(
        sum_case.problem(), 40, _z, learning_rate=0.03, b1=0, b2=0, every=1, batch=40
    ),
    _draws.case(sum_case.problem(), 22, _z, gam=50.0, batch=5),
]
EXEMPT = {
    "eps: Any": "it keeps a division by 0 away; the second case gives one",
}


def iterates(
    oracles, x0, steps, *, take, z, batch, learning_rate=1e-2, b1=0.96, b2=0.99,
    gam=0.01, eps=1e-12, weight_decay=0.0, every=10,
):  # fmt: skip
    x, m, h, out = x0, 0.0, 0.0, []
    for t in range(1, steps + 1):
        g = oracles.term_gradients(x)[take(t - 1, batch)].mean(axis=0)
        m = b1 * m + (1 - b1) * g
        if t % every == 1 or every == 1:
            h = b2 * h + (1 - b2) * z(t) * (sum_case.hessian(x) @ z(t))
        x = (
            x
            - learning_rate * weight_decay * x
            - learning_rate * np.clip(m / np.maximum(gam * h, eps), -1, 1)
        )
        out.append(x)
    return out
