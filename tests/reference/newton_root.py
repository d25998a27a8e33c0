"""Newton's method with Armijo's rule and a parabola, and Levenberg's step behind it."""

import numpy as np
from reference._case import Case, system

CASES = [
    Case(*system("mild"), told={"decrease": 1e-4}),
    Case(*system("far"), given={"decrease": 0.2}, steps=15),
    Case(*system("singular"), told={"decrease": 1e-4}, steps=8),
]

EXEMPT = {
    "real(1e-4": "decides only trials that gain less than 4e-4 of what the slope says; "
    "that the field reaches the search, the case with 0.2 feels",
}


def iterates(oracles, x, steps, *, decrease):
    F, J = oracles.residual(x), oracles.jacobian(x)
    w = 1 / (np.abs(F) + np.abs(J) @ np.abs(x))
    C, out = np.zeros(x.size), []
    for _ in range(steps):
        F, A = w * oracles.residual(x), w[:, None] * oracles.jacobian(x)
        C = np.maximum(C, np.linalg.norm(A, axis=0))
        size = np.linalg.norm(F)
        tries = []
        if abs(np.linalg.det(A)) > 0:
            tries.append((np.linalg.solve(A, -F), 4))
        normal = A.T @ A + size * np.diag(C**2)
        tries.append((np.linalg.solve(normal, -A.T @ F), 40))
        x = searched(oracles, w, x, F, A, tries, decrease)
        out.append(x)
    return out


def searched(oracles, w, x, F, A, tries, decrease):
    half = F @ F / 2
    for d, most in tries:
        t, slope = 1.0, F @ A @ d
        for _ in range(most):
            value = w * oracles.residual(x + t * d)
            after = value @ value / 2
            if after <= half + decrease * t * slope:
                return x + t * d
            bend = after - half - slope * t
            best = -slope * t**2 / (2 * bend)
            t = min(max(best, 0.1 * t), 0.5 * t)
    return x
