"""Trust-region Newton: More and Sorensen (1983); the easy case by bisection."""

import numpy as np
from reference._case import Case
from reference._newton import logistic, rosenbrock, steep
from scipy.optimize import brentq

CASES = [
    Case(*logistic(), told={"radius": np.inf}, steps=5),
    Case(*rosenbrock([-1.2, 1.0, -0.5]), given={"radius": 0.3}, steps=9),
    # Indefinite, where the eigenvectors serve.
    Case(*rosenbrock([0.1, 1.0, 0.9]), given={"radius": 0.3}, steps=9),
    # Steps that overshoot are rejected.
    Case(*steep([30.0, -7.0]), told={"radius": np.inf}),
]
EXEMPT = {}


def gap(lam, g, H, radius):
    return 1 / radius - 1 / np.linalg.norm(np.linalg.solve(H + lam * np.eye(len(g)), g))


def iterates(oracles, x, steps, *, radius):
    out = []
    for _ in range(steps):
        f, g, H = oracles.value(x), oracles.grad(x), oracles.hess(x)
        lam, least, p = 0.0, np.linalg.eigvalsh(H)[0], -np.linalg.solve(H, g)
        if least <= 0 or np.linalg.norm(p) > radius:
            low, high = max(-least, 0) + 1e-9, np.linalg.norm(g) / radius - least
            lam = brentq(gap, low, high, (g, H, radius), xtol=1e-300, rtol=1e-15)
            p = -np.linalg.solve(H + lam * np.eye(x.size), g)
        rho = (f - oracles.value(x + p)) / -(g @ p + p @ H @ p / 2)
        size, x = np.linalg.norm(p), x + p if rho > 1e-4 else x
        wide = 2 * size if rho > 0.75 and lam > 0 else radius
        radius = size / 2 if rho < 0.25 else wide
        out.append(x)
    return out
