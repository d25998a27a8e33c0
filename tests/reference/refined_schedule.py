"""Schedule refinement: Defazio, Cutkosky, Mehta and Mishchenko (2023), SGD and Adam."""

import numpy as np
import sum_case
from reference import _draws

_own = {"steps": 160, "batch": 5}
CASES = [
    _draws.case(sum_case.problem(), 24, peak=0.7, steps=10, base="sgd", batch=5),
    _draws.case(sum_case.problem(), 24, peak=0.1, steps=7, base="adam", batch=8),
    _draws.case(
        sum_case.problem(), 24, {**_own, "peak": 1 / sum_case.L, "base": "sgd"}
    ),
    _draws.case(sum_case.problem(L=None), 24, {**_own, "peak": 0.01, "base": "adam"}),
]


def refined(norms, power=2, width=0.2):
    T = len(norms)
    r = round(width * T) // 2
    padded = np.pad(norms, r, mode="reflect")
    G = np.array([np.median(padded[t : t + 2 * r + 1]) for t in range(T)])
    w = G ** -float(power)
    eta = np.array([w[t] * w[t + 1 :].sum() for t in range(T)])
    return eta / eta.max()


def iterates(oracles, x0, count, *, take, peak, steps, base, batch, rounds=2):
    power = 2 if base == "sgd" else 1
    x, norms, out = x0, np.ones(steps), []
    for t in range(count):
        if t >= rounds * steps:
            out.append(x)
            continue
        k = t % steps + 1
        if k == 1:
            eta, x, norms = refined(np.array(norms), power), x0, []
            m = v = np.zeros_like(x0)
        g = oracles.term_gradients(x)[take(t, batch)].mean(axis=0)
        norms.append(np.linalg.norm(g, power))
        if base == "adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            g = m / (1 - 0.9**k) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        x = x - peak * eta[k - 1] * g
        out.append(x)
    return out
