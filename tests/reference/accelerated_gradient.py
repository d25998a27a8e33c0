"""Accelerated gradient: O'Donoghue and Candes (2015), algorithm 1, section 3.2."""

import math

from reference._case import Case, bowl

CASES = [
    Case(*bowl(L=5.0, convex=True), told={"step_size": 0.2, "restart": True}, steps=40),
    Case(*bowl(convex=True), given={"step_size": 0.2, "restart": False}, steps=40),
]


def iterates(oracles, x0, steps, *, step_size, restart):
    x = y = x0
    theta, out = 1.0, []
    for _ in range(steps):
        g = oracles.grad(y)
        x_new = y - step_size * g
        if restart and g @ (x_new - x) > 0:
            theta = 1.0
        # The paper's theta is 1 / theta here: theta+^2 = (1 - theta+) theta^2.
        small = 1 / theta
        small_new = (-(small**2) + small * math.sqrt(small**2 + 4)) / 2
        beta = small * (1 - small) / (small**2 + small_new)
        y = x_new + beta * (x_new - x)
        x, theta = x_new, 1 / small_new
        out.append(x)
    return out
