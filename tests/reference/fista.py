"""FISTA: Beck and Teboulle (2009), equations 4.1-4.3; O'Donoghue and Candes (2015)."""

import math

from reference._case import Case, lasso

CASES = [
    Case(*lasso(L=30.0), told={"lipschitz": 30.0, "restart": True}, steps=40),
    Case(*lasso(L=50.0), given={"restart": False}, told={"lipschitz": 50.0}),
    Case(*lasso(), given={"lipschitz": 25.0}, told={"restart": True}, steps=40),
]


def iterates(oracles, x0, steps, *, lipschitz, restart=False):
    x = y = x0
    t, out = 1.0, []
    for _ in range(steps):
        x_old = x
        x = oracles.prox(y - oracles.grad(y) / lipschitz, 1 / lipschitz)
        t_new = (1 + math.sqrt(1 + 4 * t * t)) / 2
        if restart and (y - x) @ (x - x_old) > 0:
            y, t = x, 1.0
        else:
            y, t = x + (t - 1) / t_new * (x - x_old), t_new
        out.append(x)
    return out
