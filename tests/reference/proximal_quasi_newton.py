"""0SR1: Becker and Fadili (2012), algorithms 1 and 2, the scaled prox by bisection."""

import numpy as np
from reference._case import Case, lasso
from reference._sparse import logistic, steep

CASES = [
    Case(*lasso(), told={"gamma": 0.8, "decrease": 1e-4}, steps=9),
    Case(*logistic(-0.4), given={"gamma": 0.5, "decrease": 0.3}, steps=8),
    Case(*steep(), given={"gamma": 0.9, "decrease": 0.4}, steps=6),
    # A metric of 20 tau I: the second step must be halved.
    Case(*steep((0.6, 8.0)), given={"gamma": 0.95, "decrease": 0.4}, steps=6),
]
EXEMPT = {
    "real(1e-4": "small beside what steps gain; other cases feel the field",
    "1e-8": "below it the last step was along an eigenvector, to rounding",
}


def scaled(prox, v, H, tau, u):
    """argmin h(z) + (z - v)' H^-1 (z - v) / 2 by its equation in one unknown."""
    if not u.any():
        return prox(v, tau)
    B = np.linalg.inv(H)
    w = u / np.sqrt(tau + u @ u)
    low, high = -1e6, 1e6
    for _ in range(120):
        a = (low + high) / 2
        if a - w @ (prox(v + a * w, tau) - v) > 0:
            high = a
        else:
            low = a
    z = prox(v + low * w, tau)
    # A proximal gradient step of the whole metric does not move it.
    assert np.abs(z - prox(z - tau * B @ (z - v), tau)).max() < 1e-9
    return z


def iterates(oracles, x, steps, *, gamma, decrease):
    g, out = oracles.grad(x), []
    tau, u = 1 / np.linalg.norm(g), np.zeros(x.size)
    for _ in range(steps):
        H = tau * np.eye(x.size) + np.outer(u, u)
        y = scaled(oracles.prox, x - H @ g, H, tau, u)
        d, t = y - x, 1.0
        fall = d @ np.linalg.solve(H, d)
        slack = 32 * np.finfo(float).eps * abs(oracles.value(x))
        while (
            oracles.value(x + t * d) - oracles.value(x) - t * g @ d
            > (1 - decrease) * t * fall + slack
        ):
            t /= 2
        new = x + t * d
        s, y = new - x, oracles.grad(new) - g
        if s @ y > np.finfo(float).eps * np.linalg.norm(s) * np.linalg.norm(y):
            tau = gamma * s @ y / (y @ y)
            rest, u = s - tau * y, np.zeros(x.size)
            if rest @ y > 1e-8 * np.linalg.norm(y) * np.linalg.norm(rest):
                u = rest / np.sqrt(rest @ y)
        x, g = new, oracles.grad(new)
        out.append(x)
    return out
