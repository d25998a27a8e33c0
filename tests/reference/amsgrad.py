"""AMSGrad and AdamNC: Reddi, Kale and Kumar (2018), algorithm 2 and section 4."""

import numpy as np
import sum_case
from reference import _draws

_some = {"learning_rate": 0.03, "b1": 0.8, "b2": 0.9, "eps": 1e-3, "batch": 5}
CASES = [
    _draws.case(sum_case.problem(), 12, **_some),
    _draws.case(sum_case.problem(), 12, **_some, lam=0.9, decreasing=True),
    _draws.case(sum_case.problem(), 12, **_some, nc=True),
    _draws.case(sum_case.problem(), 12, {"batch": 5}),
]


def iterates(
    oracles, x0, steps, *, take, batch, learning_rate=1e-2, b1=0.9, b2=0.999, eps=1e-8,
    lam=1.0, nc=False, decreasing=False,
):  # fmt: skip
    x, m, v, most, out = x0, 0.0, 0.0, 0.0, []
    for t in range(1, steps + 1):
        g = oracles.term_gradients(x)[take(t - 1, batch)].mean(axis=0)
        keep = 1 - 1 / t if nc else b2
        first = b1 * lam ** (t - 1)
        m = first * m + (1 - first) * g
        v = keep * v + (1 - keep) * g**2
        most = v if nc else np.maximum(most, v)
        a = learning_rate / (np.sqrt(t) if decreasing else 1)
        x = x - a * m / (np.sqrt(most) + eps)
        out.append(x)
    return out
