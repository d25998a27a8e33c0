"""Powell's dogleg: Madsen, Nielsen and Tingleff (2004), algorithm 3.21, scaled."""

import numpy as np
from reference._case import Case, fit, valley
from reference._dogleg import leg

CASES = [
    Case(*valley([-1.2, 1.0]), told={"factor": 1.0}, steps=14),
    Case(*valley([0.0, 0.0]), given={"factor": 0.3}, steps=10),
    Case(*fit([0.4, 1.5, 3.0]), given={"factor": 0.2}, steps=8),
    Case(*fit([9.0, -0.5, 3.0]), told={"factor": 1.0}, steps=6),
    Case(*fit([0.2, 0.2, 2.1]), given={"factor": 0.3}, steps=8),
]


def iterates(oracles, x0, steps, *, factor):
    x, scale, radius, out = x0, np.zeros(x0.size), None, []
    for _ in range(steps):
        r, J = oracles.residual(x), oracles.jacobian(x)
        scale = np.maximum(scale, np.linalg.norm(J, axis=0))
        if radius is None:
            radius = factor * (np.linalg.norm(scale * x) or np.linalg.norm(r))
        A = J / scale
        z = leg(A, r, radius)
        new, model = oracles.residual(x + z / scale), r + A @ z
        rho = (r @ r - new @ new) / (r @ r - model @ model)
        if rho > 0.75:
            radius = max(radius, 3 * np.linalg.norm(z))
        elif rho < 0.25:
            radius /= 2
        x = x + z / scale if rho > 0 else x
        out.append(x)
    return out
