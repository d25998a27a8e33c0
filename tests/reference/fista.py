"""FISTA: Beck and Teboulle (2009), equations 4.1-4.3; O'Donoghue and Candes (2015).

Growing from the largest curvature seen is banach's own (co-coercivity of the gradient).
"""

import math

import numpy as np
from reference._case import Case, lasso

CASES = [
    Case(*lasso(L=30.0), told={"lipschitz": 30.0, "restart": True}, steps=40),
    Case(*lasso(L=50.0), given={"restart": False}, told={"lipschitz": 50.0}),
    Case(*lasso(), given={"lipschitz": 25.0}, told={"restart": True}, steps=40),
    Case(*lasso(), given={"lipschitz": 3.0, "grow": True}, told={"restart": True}),
    Case(*lasso(), given={"lipschitz": 2.0, "grow": True, "restart": False}),
]
EXEMPT = {"eps = float": "where rounding begins to hide curvature is no one number"}


def iterates(oracles, x0, steps, *, lipschitz, restart=True, grow=False):
    x = y = x0
    t, out = 1.0, []
    y_old, g_old = x0, None
    for _ in range(steps):
        x_old, g = x, oracles.grad(y)
        if grow and g_old is not None:
            dg, dy = g - g_old, y - y_old
            far = np.linalg.norm(dy) > 2.0**-26 * np.linalg.norm(y_old)
            far &= np.linalg.norm(dg) > 2.0**-26 * np.linalg.norm(g)
            if far and dg @ dy > 0 and dg @ dg > lipschitz * (dg @ dy):
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
