"""FISTA: Beck and Teboulle (2009), equations 4.1-4.3; O'Donoghue and Candes (2015).

Growing from the largest curvature seen is banach's own (co-coercivity of the gradient).
"""

import math

from reference._case import Case, lasso

CASES = [
    Case(*lasso(L=30.0), told={"lipschitz": 30.0, "restart": True}, steps=40),
    Case(*lasso(L=50.0), given={"restart": False}, told={"lipschitz": 50.0}),
    Case(*lasso(), given={"lipschitz": 3.0, "grow": True}, told={"restart": True}),
    Case(*lasso(), given={"lipschitz": 2.0, "grow": True, "restart": False}),
]


def iterates(oracles, x0, steps, *, lipschitz, restart=True, grow=False):
    x = y = y_old = x0
    t, g_old, out = 1.0, 0 * x0, []
    for _ in range(steps):
        x_old, g = x, oracles.grad(y)
        dg, dy = g - g_old, y - y_old
        if grow and dg @ dg > lipschitz * (dg @ dy) > 0:
            lipschitz, t = (dg @ dg) / (dg @ dy), 1.0
        y_old, g_old = y, g
        x = oracles.prox(y - g / lipschitz, 1 / lipschitz)
        t_new = (1 + math.sqrt(1 + 4 * t * t)) / 2
        if restart and (y - x) @ (x - x_old) > 0:
            y, t = x, 1.0
        else:
            y, t = x + (t - 1) / t_new * (x - x_old), t_new
        out.append(x)
    return out
