"""Powell's dogleg: Madsen, Nielsen and Tingleff (2004), algorithm 3.21, scaled."""

import numpy as np
from reference._case import Case, fit, valley

CASES = [
    Case(*valley([-1.2, 1.0]), told={"factor": 1.0}, steps=14),
    Case(*valley([0.0, 0.0]), given={"factor": 0.3}, steps=10),
    Case(*fit([0.4, 1.5, 3.0]), given={"factor": 0.2}, steps=8),
    Case(*fit([9.0, -0.5, 3.0]), told={"factor": 1.0}, steps=6),
    Case(*fit([0.2, 0.2, 2.1]), given={"factor": 0.3}, steps=8),
]
EXEMPT = {}


def leg(J, r, radius):
    newton = np.linalg.lstsq(J, -r)[0]
    if np.linalg.norm(newton) <= radius:
        return newton
    g = J.T @ r
    a = -(g @ g / np.sum((J @ g) ** 2)) * g
    if np.linalg.norm(a) >= radius:
        return -radius * g / np.linalg.norm(g)
    b = newton - a
    return a + max(np.roots([b @ b, 2 * a @ b, a @ a - radius**2]).real) * b


def iterates(oracles, x0, steps, *, factor):
    x, scale, radius, out = x0, np.zeros(x0.size), None, []
    for _ in range(steps):
        r, J = oracles.residual(x), oracles.jacobian(x)
        scale = np.maximum(scale, np.linalg.norm(J, axis=0))
        if radius is None:
            radius = factor * (np.linalg.norm(scale * x) or np.linalg.norm(r))
        z = leg(J / scale, r, radius)
        p, size = z / scale, np.linalg.norm(z)
        new, model = oracles.residual(x + p), r + J @ p
        rho = (r @ r - new @ new) / (r @ r - model @ model)
        if rho > 0.75:
            radius = max(radius, 3 * size)
        elif rho < 0.25:
            radius /= 2
        x = x + p if rho > 0 else x
        out.append(x)
    return out
