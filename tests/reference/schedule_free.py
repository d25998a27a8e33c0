"""Schedule-Free SGD and AdamW: Defazio et al. (2024), equations 2-4, algorithm 1."""

import numpy as np
import sum_case
from reference import _draws

_some = {"learning_rate": 0.3, "b1": 0.8, "b2": 0.9, "eps": 1e-2, "batch": 5}
CASES = [
    _draws.case(sum_case.problem(), 12, **_some, weight_decay=0.1, warmup=4),
    _draws.case(sum_case.problem(), 12, learning_rate=0.3, base="sgd", batch=5),
    _draws.case(sum_case.problem(), 12, **_some | {"b1": 0.0}, base="sgd", warmup=3),
    _draws.case(sum_case.problem(), 12, {"batch": 5}),
]


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-8,
    weight_decay=0.0, warmup=1, base="adamw",
):  # fmt: skip
    x = z = x0
    v, gams, out = 0.0, [], []
    for t in range(1, steps + 1):
        y = (1 - b1) * z + b1 * x
        g = oracles.term_gradients(y)[take(t - 1, batch)].mean(axis=0)
        gam = learning_rate * min(1, t / warmup)
        if base == "adamw":
            v = b2 * v + (1 - b2) * g**2
            g = g / (np.sqrt(v) + eps)
            gam *= np.sqrt(1 - b2**t)
        gams.append(gam)
        z = z - gam * g - gam * weight_decay * y
        c = gam**2 / np.sum(np.square(gams))
        x = (1 - c) * x + c * z
        out.append(x)
    return out
