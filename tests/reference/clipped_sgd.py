"""clipped-SGD: Sadiev et al. (2023), equation 8, and its schedule of lambda."""

import numpy as np
import sum_case as case
from reference._case import Case
from reference._draws import taker

from banach.kinds.finite_sum.problem import FiniteSum


def told(**values):
    return lambda keys: {"take": taker(keys), **values}


def steep():
    """The same sum, from where its gradients are longer than 1."""
    settings = dict(l2=case.L2, convex=True, L=case.L, reference=np.zeros(case.D))
    return FiniteSum(case.loss, np.full(case.D, -40.0), (case.A, case.Y), **settings)


OWN = {"step_size": 0.5, "max_norm": 0.3, "decay": 0.2, "batch": 7}
BEGUN = told(step_size=1 / case.L, batch=5)
CASES = [
    Case(case.problem(), case.term_gradients, {"max_norm": 0.1}, BEGUN),
    Case(steep(), case.term_gradients, {}, BEGUN),
    Case(case.problem(), case.term_gradients, OWN, told()),
]


def iterates(
    term_gradients, x0, steps, *, take, step_size, batch, max_norm=1.0, decay=0.0
):  # fmt: skip
    x, out = x0, []
    for k in range(steps):
        g = term_gradients(x)[take(k, batch)].mean(axis=0)
        most = max_norm * np.exp(-decay * k)
        x = x - step_size * min(1, most / np.linalg.norm(g)) * g
        out.append(x)
    return out
