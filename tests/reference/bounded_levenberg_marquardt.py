"""Levenberg-Marquardt within bounds (Kanzow, Yamashita, Fukushima 2004).

Every face of the box is tried where the method keeps an active set.
"""

from itertools import product

import numpy as np
from reference._case import Case, fit, valley

CASES = [
    Case(*valley([-1.2, 1.0], upper=[0.6, 2.0]), told={"damping": 1e-3}, steps=10),
    Case(*valley([-1.2, -0.5], lower=[-2.0, -0.5]), given={"damping": 0.3}, steps=9),
    Case(*fit([1.0, 0.2, 0.5], upper=[3.6, 4.0, 9.0]), given={"damping": 1e-2}),
    Case(*fit([9.0, -0.2, 3.0], lower=[0.0, -0.2, 2.2]), given={"damping": 3.0}),
    Case(
        *valley([0.7, 0.1], upper=[1.0, 0.9]), given={"rule": "residual"},
        told={"damping": 1e-3}, steps=4,
    ),
]  # fmt: skip


def subproblem(A, r, damping, low, high):
    """argmin ||r + A z||^2 + damping ||z||^2 over a box, face by face."""
    B = np.vstack([A, np.sqrt(damping) * np.eye(low.size)])
    c, best, least = np.append(r, np.zeros(low.size)), None, np.inf
    for face in product((0, -1, 1), repeat=low.size):
        face = np.array(face)
        z = np.where(face < 0, low, np.where(face > 0, high, 0.0))
        free = face == 0
        if not np.all(np.isfinite(z)):
            continue
        z[free] = -np.linalg.lstsq(B[:, free], c + B @ z, rcond=None)[0]
        inside = np.all((z >= low - 1e-14) & (z <= high + 1e-14))
        if inside and np.sum((c + B @ z) ** 2) < least:
            best, least = z, np.sum((c + B @ z) ** 2)
    return best


def iterates(oracles, x0, steps, *, damping, rule="gain"):
    x, r, scale, growth, out = x0, oracles.residual(x0), np.zeros(x0.size), 2.0, []
    lower, upper = oracles.sides
    for _ in range(steps):
        J = oracles.jacobian(x)
        scale = np.maximum(scale, np.linalg.norm(J, axis=0))
        D, a = (scale, damping) if rule == "gain" else (np.ones(x.size), r @ r)
        z = subproblem(J / D, r, a, (lower - x) * D, (upper - x) * D)
        end = np.clip(x + z / D, lower, upper)
        new, model = oracles.residual(end), r + J / D @ z
        rho = (r @ r - new @ new) / (r @ r - model @ model)
        if rho > 0:
            x, r, growth = end, new, 2.0
            damping *= max(1 / 3, 1 - (2 * min(rho, 1.0) - 1) ** 3)
        else:
            damping, growth = damping * growth, 2 * growth
        out.append(x)
    return out
