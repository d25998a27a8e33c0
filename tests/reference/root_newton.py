"""Hanzely, Abdukhakimov and Takac (2024): Root Newton, Universal Newton."""

import numpy as np
from reference._case import Case
from reference._newton import logistic

from banach.methods.smooth._damped_newton_steps import Backtracking, Explicit

CONVEX = {"convex": True}
CASES = [
    Case(*logistic(**CONVEX), told={"rule": Backtracking(1e-2, 4.0)}, steps=6),
    Case(*logistic(**CONVEX), given={"rule": Backtracking(0.5, 2.0)}, steps=6),
    Case(*logistic(**CONVEX), given={"rule": Explicit(0.02, 3.0)}),
    Case(*logistic(**CONVEX), given={"rule": Explicit(0.02, 4.0)}),
]
EXEMPT = {}


def iterates(oracles, x, steps, *, rule):
    theta, out = getattr(rule, "theta", None), []
    for _ in range(steps):
        H, g = oracles.hess(x), oracles.grad(x)
        n = np.linalg.solve(H, g)
        if isinstance(rule, Explicit):
            power = 1 / (rule.q - 1)
            theta = (9 * rule.M) ** power * np.sqrt(g @ n) ** ((rule.q - 2) * power)
            trial = x - n / (1 + theta)
        else:
            theta = max(theta / rule.grow, np.finfo(float).eps)
            while True:
                trial = x - n / (1 + theta)
                h = oracles.grad(trial)
                if h @ n >= h @ np.linalg.solve(H, h) * (1 + theta) / (2 * theta):
                    break
                theta = theta * rule.grow
        x = trial
        out.append(x)
    return out
