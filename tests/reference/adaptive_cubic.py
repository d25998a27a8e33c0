"""Cartis, Gould and Toint (2011): algorithm 2.1 with the updates of section 7."""

import numpy as np
from reference._case import Case
from reference._newton import logistic, rosenbrock, steep
from reference.lazy_newton import cubic

TOLD = {"sigma": 1.0, "eta1": 0.1, "eta2": 0.9}
CASES = [
    Case(*rosenbrock([-1.2, 1.0, -0.5]), told=TOLD),
    Case(*rosenbrock([0.7, -2.9]), told=TOLD, steps=7),
    Case(*rosenbrock([-0.8, 0.5]), told=TOLD, steps=7),
    Case(*steep([30.0, -7.0]), told=TOLD),
    Case(*steep([1.6, -2.1]), given={"sigma": 1e-2, "eta1": 0.3, "eta2": 0.6}, steps=5),
    Case(*logistic(), told=TOLD, steps=4),
]


def iterates(oracles, x, steps, *, sigma, eta1, eta2):
    out = []
    for _ in range(steps):
        g = oracles.grad(x)
        s, promised = cubic(oracles.hess(x), g, 2 * sigma)
        rho = (oracles.value(x) - oracles.value(x + s)) / promised
        if rho > eta2:
            sigma = max(min(sigma, np.linalg.norm(g)), np.finfo(float).eps)
        elif rho < eta1:
            sigma = 2 * sigma
        x = x + s if rho >= eta1 else x
        out.append(x)
    return out
