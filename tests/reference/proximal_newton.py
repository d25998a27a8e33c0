"""Proximal Newton: Lee, Sun and Saunders (2014), algorithm 1, adaptive stopping."""

import numpy as np
from reference._case import Case
from reference._sparse import logistic, steep

USUAL = {"forcing": 0.1, "decrease": 1e-4, "inner": 1000}
CASES = [
    Case(*logistic(), told=USUAL, steps=5),
    Case(
        *logistic(-1.0), given={"forcing": 0.5, "decrease": 0.3, "inner": 20}, steps=4
    ),
    Case(*steep(), given={"forcing": 0.02, "decrease": 0.2, "inner": 40}, steps=9),
]
EXEMPT = {"real(1e-4": "small beside what steps gain; other cases feel the field"}


def minimiser(H, M, g, x, prox, small, most):
    """FISTA on the model, restarted where the momentum points uphill."""
    y, z, theta = x, x, 1.0
    for _ in range(most):
        new = prox(z - (g + H @ (z - x)) / M, 1 / M)
        r = M * (z - new) + H @ (new - z)
        after = (1 + np.sqrt(1 + 4 * theta**2)) / 2
        beta = (theta - 1) / after
        if (z - new) @ (new - y) > 0:
            beta, after = 0.0, 1.0
        z, y, theta, d = new + beta * (new - y), new, after, new - x
        least = 8 * np.finfo(float).eps * (M * np.linalg.norm(y) + np.linalg.norm(g))
        size = np.linalg.norm(r)
        if (size <= small and 2 * r @ d <= d @ H @ d) or size <= least:
            break
    return y, r


def iterates(oracles, x0, steps, *, forcing, decrease, inner):
    x, model, old, out = x0, None, None, []
    for _ in range(steps):
        g, H = oracles.grad(x), oracles.hess(x)
        M = min(np.abs(H).sum(axis=0).max(), np.linalg.norm(H))

        def G(v, x=x, M=M):
            return M * (x - oracles.prox(x - v / M, 1 / M))

        now, eta = np.linalg.norm(G(g)), forcing
        if old:
            eta = min(eta, np.linalg.norm(G(model) - G(g)) / old)
        y, r = minimiser(H, M, g, x, oracles.prox, eta * now, inner)
        d, t = y - x, 1.0
        fall = d @ H @ d - r @ d
        slack = 32 * np.finfo(float).eps * abs(oracles.value(x))
        assert fall <= -(g @ d + oracles.term(y) - oracles.term(x)) + 1e-12
        while (
            oracles.value(x + t * d) - oracles.value(x) - t * g @ d
            > (1 - decrease) * t * fall + slack
        ):
            t /= 2
        x, old, model = x + t * d, now, g + t * H @ d
        out.append(x)
    return out
