"""Algorithm 1 of Davis and Yin (2017), B the graph of K by a dense projection."""

import numpy as np
from reference import _structured
from reference._case import Case

_with, _without = _structured.fused(quadratic=False), _structured.elastic()
CASES = [
    Case(*_with, told={"step_size": 1 / _with[1].L, "norm": _with[1].norm,
                       "relaxation": 1.0}),
    Case(*_without, told={"step_size": 1.0, "norm": _with[1].norm, "relaxation": 1.0}),
    Case(*_with, given={"step_size": 0.05, "norm": 1.7, "relaxation": 1.2}),
]  # fmt: skip


def iterates(oracles, x, steps, *, step_size, norm, relaxation):
    K, t, out = oracles.K / norm, step_size, []
    m = len(K)
    graph = np.vstack([K, np.eye(x.size)])
    onto = graph @ np.linalg.pinv(graph)
    s = graph @ x
    for _ in range(steps):
        u = onto @ s
        r = 2 * u - s
        w = oracles.outer_prox(norm * r[:m], t * norm**2) / norm
        v = oracles.prox(r[m:] - t * oracles.grad(u[m:]), t)
        s = s + relaxation * (np.concatenate([w, v]) - u)
        out.append(v)
    return out
