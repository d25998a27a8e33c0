"""Katyusha: Allen-Zhu (2018), algorithm 1 with option I, psi = mu / 2 ||x||^2."""

import numpy as np
import sum_case as case
from jax.random import fold_in
from reference._terms import cases, drawn


def told(L, batch):
    return {"L": L, "mu": case.L2, "inner": 80 // batch}


# The first two have t1 below 1/2, the last one 1/2.
CASES = cases(4, told, L=2.0, mu=0.04, inner=100, batch=3)


def iterates(oracles, x0, steps, *, keys, L, mu, inner, batch):
    tau1 = min(np.sqrt(inner * mu) / np.sqrt(3 * L), 1 / 2)
    alpha, tau2 = 1 / (3 * tau1 * L), 1 / 2
    y = z = snapshot = x0
    out = []
    for s in range(steps):
        # f_i without its share of psi.
        old = oracles.each(snapshot) - mu * snapshot
        ys = []
        for k in range(inner):
            j = drawn(fold_in(keys[s], k), batch)
            x = tau1 * z + tau2 * snapshot + (1 - tau1 - tau2) * y
            g = (oracles.each(x)[j] - mu * x - old[j]).mean(axis=0) + old.mean(axis=0)
            z = (z - alpha * g) / (1 + alpha * mu)
            y = (x - g / (3 * L)) / (1 + mu / (3 * L))
            ys.append(y)
        weights = (1 + alpha * mu) ** np.arange(inner)
        snapshot = weights @ np.array(ys) / weights.sum()
        out.append(snapshot)
    return out
