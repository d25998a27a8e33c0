"""STORM: Cutkosky and Orabona (2019), algorithm 1; a cut at 1."""

import numpy as np
import sum_case as case
from reference import _terms
from reference._case import Case


def told(**values):
    return lambda keys: {"keys": keys[1:], **values}


OWN = {"k": 0.2, "w": 0.3, "c": 3.0, "batch": 3}
CASES = [
    Case(case.problem(), _terms.ORACLES, {}, told(batch=5)),
    Case(case.problem(), _terms.ORACLES, {"k": 0.05}, told(batch=5)),
    Case(case.problem(), _terms.ORACLES, OWN, told()),
]


def iterates(oracles, x0, steps, *, keys, batch, k=0.1, w=0.1, c=100.0):
    x, old, d, a, squares, out = x0, x0, 0.0, 1.0, 0.0, []
    for t in range(steps):
        j = _terms.drawn(keys[t], batch)
        g, before = (oracles.each(v)[j].mean(axis=0) for v in (x, old))
        d = g + (1 - a) * (d - before)
        squares += np.sum(g**2)
        eta = k / (w + squares) ** (1 / 3)
        x, old, a = x - eta * d, x, min(c * eta**2, 1.0)
        out.append(x)
    return out
