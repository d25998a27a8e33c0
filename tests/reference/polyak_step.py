"""SPS_max: Loizou, Vaswani, Laradji and Lacoste-Julien (2021), equation 3."""

from types import SimpleNamespace

import numpy as np
import sum_case as case
from reference._case import Case
from reference._terms import drawn


def terms(x):
    return np.logaddexp(0, -case.Y * (case.A @ x)) + case.L2 / 2 * x @ x


def told(**values):
    return lambda keys: {"keys": keys[1:], **values}


ORACLES = SimpleNamespace(terms=terms, each=case.term_gradients)
OWN = {"c": 0.7, "max_learning_rate": 4.0, "f_min": 0.3, "batch": 3}
CASES = [
    Case(case.problem(), ORACLES, {}, told(max_learning_rate=1 / case.L, batch=5)),
    Case(case.problem(), ORACLES, {"max_learning_rate": 1e3, "batch": 2}, told()),
    Case(case.problem(L=None), ORACLES, {}, told(max_learning_rate=1.0, batch=5)),
    Case(case.problem(), ORACLES, OWN, told(), 20),
]


def iterates(
    oracles, x0, steps, *, keys, max_learning_rate, batch, c=0.5, f_min=0.0
):  # fmt: skip
    x, out = x0, []
    for t in range(steps):
        j = drawn(keys[t], batch)
        f, g = oracles.terms(x)[j].mean(), oracles.each(x)[j].mean(axis=0)
        step = min((f - f_min) / (c * g @ g), max_learning_rate)
        x = x - max(step, 0.0) * g
        out.append(x)
    return out
