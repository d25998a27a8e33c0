"""Newton's method with Armijo's rule and a parabola, and Levenberg's step behind it."""

import numpy as np
from reference._case import Case, system
from reference._roots import weighted

CASES = [
    Case(*system("mild"), told={"decrease": 1e-4}),
    Case(*system("far"), given={"decrease": 0.2}, steps=15),
    Case(*system("singular"), told={"decrease": 1e-4}, steps=8),
]
EXEMPT = {"real(1e-4": "decides only trials that gain less than 4e-4 of the slope's"}


def iterates(oracles, x, steps, *, decrease):
    (F, J), C, out = weighted(oracles, x), np.zeros(x.size), []
    for _ in range(steps):
        f, A = F(x), J(x)
        C = np.maximum(C, np.linalg.norm(A, axis=0))
        normal = A.T @ A + np.linalg.norm(f) * np.diag(C**2)
        ways = [(np.linalg.solve(normal, -A.T @ f), 40)]
        if np.linalg.det(A) != 0:
            ways = [(np.linalg.solve(A, -f), 4), *ways]
        found = (searched(F, x, f, f @ A @ d, d, most, decrease) for d, most in ways)
        x = x + next(s for s in found if s is not None)
        out.append(x)
    return out


def searched(F, x, f, slope, d, most, decrease):
    t = 1.0
    for _ in range(most):
        rise = np.sum(F(x + t * d) ** 2) / 2 - f @ f / 2
        if rise <= decrease * t * slope:
            return t * d
        best = -slope * t**2 / (2 * (rise - slope * t))
        t = min(max(best, 0.1 * t), 0.5 * t)
