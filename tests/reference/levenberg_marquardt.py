"""Levenberg-Marquardt: More (1978), and MINPACK's lmder (1980).

By the singular values of J D^-1 where the method factorises [J D^-1; sqrt(a) I].
"""

import numpy as np
from reference._case import Case, fit, valley

CASES = [
    Case(*valley([0.01, 0.002]), told={"factor": 100.0}),
    Case(*valley([0.0, 0.0]), given={"factor": 2.0}),
    Case(*valley([0.55, -0.74]), given={"factor": 1.0}, steps=8),
    Case(*fit([0.0, -0.1, 0.0]), told={"factor": 100.0}, steps=8),
    Case(*valley([-18.89, -1.75]), given={"factor": 0.1}, steps=8),
]
EXEMPT = {"ratio >= 1e-4": "a ratio from a fourth to four times that is met by no case"}


def parameter(sigma, q, radius, par):
    """(z, par) with ||z|| = radius to 10 per cent, z in the right singular basis."""
    keep = sigma > sigma.size * np.finfo(float).eps * sigma[0]
    z = -np.where(keep, q / np.where(keep, sigma, 1), 0)
    size = np.linalg.norm(z)
    if size - radius <= 0.1 * radius:
        return z, 0.0
    low, steep = 0.0, np.linalg.norm(sigma * q)
    if keep.all():
        low = (size / radius - 1) / np.sum((z / size / sigma) ** 2)
    high = steep / radius
    par = min(max(par, low), high) or steep / size
    over = size - radius
    for call in range(10):
        par = par or 0.001 * high
        z = -sigma * q / (sigma**2 + par)
        size = np.linalg.norm(z)
        now = size - radius
        if abs(now) <= 0.1 * radius or (low == 0 and now <= over < 0) or call == 9:
            break
        over, change = now, now / radius / np.sum((z / size) ** 2 / (sigma**2 + par))
        low = max(low, par) if now > 0 else low
        high = min(high, par) if now < 0 else high
        par = max(low, par + change)
    return z, par


def iterates(oracles, x0, steps, *, factor):
    x, r, scale = x0, oracles.residual(x0), np.zeros(x0.size)
    out, par, taken, radius = [], 0.0, 0, None
    for _ in range(steps):
        J, f = oracles.jacobian(x), np.linalg.norm(r)
        scale = np.maximum(scale, np.linalg.norm(J, axis=0))
        D = np.where(scale > 0, scale, 1)
        if radius is None:
            radius = factor * (np.linalg.norm(D * x) or f)
        U, sigma, V = np.linalg.svd(J / D, full_matrices=False)
        w, par = parameter(sigma, U.T @ r, radius, par)
        z, size = V.T @ w, np.linalg.norm(w)
        radius = radius if taken else min(radius, size)
        r1 = oracles.residual(x + z / D)
        f1 = np.linalg.norm(r1)
        actual = 1 - (f1 / f) ** 2 if 0.1 * f1 < f else -1.0
        model, pull = np.sum((sigma * w) ** 2) / f**2, par * size**2 / f**2
        ratio = actual / (model + 2 * pull)
        if ratio <= 0.25:
            slope = -(model + pull)
            part = 0.5 if actual >= 0 else 0.5 * slope / (slope + 0.5 * actual)
            part = 0.1 if 0.1 * f1 >= f or part < 0.1 else part
            radius, par = part * min(radius, 10 * size), par / part
        elif par == 0 or ratio >= 0.75:
            radius, par = 2 * size, par / 2
        if ratio >= 1e-4:
            x, r, taken = x + z / D, r1, taken + 1
        out.append(x)
    return out
