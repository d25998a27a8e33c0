"""Hanzely, Abdukhakimov and Takac (2024): Root Newton, Universal Newton, searches."""

import numpy as np
from reference import _damped_newton_steps as damping
from reference._case import Case
from reference._newton import logistic

from banach.methods.smooth._damped_newton_steps import Backtracking, Explicit, Search

CONVEX = {"convex": True}
CASES = [
    Case(*logistic(**CONVEX), told={"rule": Backtracking(1e-2, 4.0)}, steps=6),
    Case(*logistic(**CONVEX), given={"rule": Backtracking(0.5, 2.0)}, steps=6),
    Case(*logistic(**CONVEX), given={"rule": Explicit(0.02, 3.0)}),
    Case(*logistic(**CONVEX), given={"rule": Explicit(0.02, 4.0)}),
    Case(*logistic(1.5, **CONVEX), given={"rule": Search(True, 12)}, steps=3),
    Case(*logistic(1.5, **CONVEX), given={"rule": Search(False, 12)}, steps=3),
]


def iterates(oracles, x, steps, *, rule):
    theta, out = getattr(rule, "theta", None), []
    for _ in range(steps):
        H, g = oracles.hess(x), oracles.grad(x)
        n = np.linalg.solve(H, g)
        if isinstance(rule, Explicit):
            theta = damping.explicit(rule, g, n)
        elif isinstance(rule, Backtracking):
            theta = damping.backtracking(rule, theta, oracles.grad, x, n, H)
        else:
            theta = damping.golden(rule, oracles, x, n, H)
        x = x - n / (1 + theta)
        out.append(x)
    return out
