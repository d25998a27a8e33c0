"""Accelerated gradient: O'Donoghue and Candes (2015), algorithm 1, section 3.2."""

from reference._case import Case, bowl

CASES = [
    Case(*bowl(L=5.0, convex=True), told={"step_size": 0.2, "restart": True}, steps=40),
    Case(*bowl(convex=True), given={"step_size": 0.2, "restart": False}, steps=40),
]


def iterates(oracles, x0, steps, *, step_size, restart):
    x, y, theta, out = x0, x0, 1.0, []
    for _ in range(steps):
        g = oracles.grad(y)
        x, old = y - step_size * g, x
        if restart and g @ (x - old) > 0:
            theta = 1.0
        # The paper's theta, 1 over the method's: theta+^2 = (1 - theta+) theta^2.
        before, theta = theta, theta * ((theta**2 + 4) ** 0.5 - theta) / 2
        y = x + before * (1 - before) / (before**2 + theta) * (x - old)
        out.append(x)
    return out
