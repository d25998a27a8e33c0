"""MINPACK's hybrj: two nested loops, the trust radius by bisection on the dogleg."""

import numpy as np
from reference._case import Case, system
from scipy.optimize import brentq

CASES = [
    Case(*system("mild"), told={"factor": 100.0}),
    Case(*system("far"), given={"factor": 0.1}, steps=25),
    Case(*system("mild"), given={"factor": 0.02}, steps=14),
    # Ratios near 0.1, 0.5 and 0.9.
    Case(*system("valley", [0.0, -0.2]), given={"factor": 0.3}, steps=8),
    Case(*system("far", [-0.8, 0.4]), given={"factor": 0.3}, steps=8),
    Case(*system("far", [-3.4, -1.0]), given={"factor": 0.1}, steps=10),
]
EXEMPT = {
    "fell >= 1e-3": "says when to give up, which moves no iterate",
    "fell >= 0.1": "says when to give up, which moves no iterate",
    '"jacobian": 0.1': "says how often to look",
    "real(100.0)": "a first radius beyond the first step; a case feels 0.1 and 0.02",
    "(after / size) ** 2, -1.0": "a failure, however bad",
    "ratio >= 1e-4": "no trial of a case gains so little",
}


def iterates(oracles, x, steps, *, factor):
    J = oracles.jacobian(x)
    f = oracles.residual(x)
    w = 1 / (np.abs(f) + np.abs(J) @ np.abs(x))
    C = np.linalg.norm(w[:, None] * J, axis=0)
    delta, out, accepted = factor * np.linalg.norm(C * x), [], False
    while len(out) < steps:
        B = w[:, None] * oracles.jacobian(x)
        C = np.maximum(C, np.linalg.norm(B, axis=0))
        successes = failures = 0
        while failures < 2 and len(out) < steps:
            F = w * oracles.residual(x)
            p = dogleg(B, F, C, delta)
            length = np.linalg.norm(C * p)
            if not accepted:
                delta = min(delta, length)
            new = w * oracles.residual(x + p)
            actual = 1 - (new @ new) / (F @ F) if new @ new < F @ F else -1.0
            model = F + B @ p
            promised = 1 - (model @ model) / (F @ F)
            ratio = actual / promised if promised > 0 else 0.0
            if ratio < 0.1:
                successes, failures, delta = 0, failures + 1, delta / 2
            else:
                successes, failures = successes + 1, 0
                if ratio >= 0.5 or successes > 1:
                    delta = max(delta, 2 * length)
                if abs(ratio - 1) <= 0.1:
                    delta = 2 * length
            B = B + np.outer(new - model, C**2 * p) / length**2
            if ratio >= 1e-4:
                x, accepted = x + p, True
            out.append(x)
    return out


def dogleg(B, F, C, delta):
    newton = np.linalg.solve(B, -F)
    if np.linalg.norm(C * newton) <= delta:
        return newton
    down = -(B.T @ F) / C**2
    along = (F @ B @ down) / -np.sum((B @ down) ** 2)
    size = np.linalg.norm(C * down)
    if along * size >= delta:
        return delta / size * down
    bent = lambda t: (1 - t) * along * down + t * newton  # noqa: E731
    past = lambda t: np.linalg.norm(C * bent(t)) - delta  # noqa: E731
    return bent(brentq(past, 0, 1, xtol=1e-300, rtol=1e-15))
