"""SPIDER: Fang, Li, Lin and Zhang (2018), algorithm 1, option II, finite sum."""

import numpy as np
import sum_case as case
from reference._case import Case
from reference._terms import L_MAX, ORACLES, drawn, known


def told(**values):
    return lambda keys: {"keys": keys[1:], **values}


OWN = {"L": 0.9, "epsilon": 0.05, "batch": 3}
CASES = [
    Case(known(), ORACLES, {}, told(L=L_MAX, batch=6)),
    Case(case.problem(), ORACLES, {}, told(L=case.N * case.L, batch=6)),
    Case(case.problem(), ORACLES, OWN, told(), 30),
    Case(case.problem(), ORACLES, {"L": 0.8, "batch": 12}, told()),
]


def iterates(oracles, x0, steps, *, keys, L, batch, epsilon=0.1):
    x, old, v, out = x0, x0, None, []
    n0 = max(np.sqrt(case.N) / batch, 1)
    for k in range(steps):
        j, g = drawn(keys[k], batch), oracles.each(x)
        if k % np.ceil(case.N / batch) == 0:
            v = g.mean(axis=0)
        else:
            v = v + (g[j] - oracles.each(old)[j]).mean(axis=0)
        eta = min(epsilon / (L * n0 * np.linalg.norm(v)), 1 / (2 * L * n0))
        x, old = x - eta * v, x
        out.append(x)
    return out
