"""Schedule refinement: Defazio, Cutkosky, Mehta and Mishchenko (2023), SGD and Adam."""

import numpy as np
import sum_case
from reference._case import Case
from reference._draws import ORACLES, taker


def _case(L=sum_case.L, told=None, **given):
    def drawn(keys):
        return {"take": taker(keys)} | (told or {})

    return Case(sum_case.problem(L=L), ORACLES, given, drawn, steps=24)


CASES = [
    _case(peak=0.7, steps=10, base="sgd", batch=5),
    _case(peak=0.05, steps=7, base="adam", batch=8, rounds=4),
    _case(told={"peak": 1 / sum_case.L, "steps": 160, "base": "sgd", "batch": 5}),
    _case(L=None, told={"peak": 0.01, "steps": 160, "base": "adam", "batch": 5}),
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
    eta, x, out, norms, k = refined(np.ones(steps), power), x0, [], [], 0
    m = v = np.zeros_like(x0)
    for t in range(count):
        if t and t % steps == 0:
            eta, x, norms, k = refined(np.array(norms), power), x0, [], 0
            m = v = np.zeros_like(x0)
        g = oracles.term_gradients(x)[take(t, batch)].mean(axis=0)
        norms.append(np.linalg.norm(g, power))
        k += 1
        if base == "adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            g = m / (1 - 0.9**k) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        x = x - peak * eta[t % steps] * g
        out.append(x)
    return out
