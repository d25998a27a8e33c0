"""SR1 in a trust region: Nocedal and Wright (2006), algorithm 6.2, with exact steps.

B begins as ||g|| I, (||y|| / ||p||) I before the first correction (banach's own).
"""

import numpy as np
from reference._case import Case, bowl
from reference._newton import rosenbrock
from reference._region import resized, step

CASES = [
    Case(*bowl(), told={"radius": np.inf}, steps=5),
    Case(*bowl(), given={"radius": 0.3}, steps=6),
    Case(*rosenbrock([-1.2, 1.0]), given={"radius": 0.5}, steps=25),
]
EXEMPT = {"keep = seen & (": "where rounding begins to own r.p is no one number"}


def iterates(oracles, x, steps, *, radius):
    g, eye, norm, out = oracles.grad(x), np.eye(x.size), np.linalg.norm, []
    B, blank = norm(g) * eye, True
    for _ in range(steps):
        p, bound = step(B, g, radius, norm(x))
        rho = (oracles.value(x) - oracles.value(x + p)) / -(g @ p + p @ B @ p / 2)
        radius, y = resized(radius, norm(p), rho, bound), oracles.grad(x + p) - g
        if blank:
            B, blank = norm(y) / norm(p) * eye, False
        r = y - B @ p
        if abs(r @ p) >= 1e-8 * norm(r) * norm(p) > 0:
            B = B + np.outer(r, r) / (r @ p)
        if rho > 1e-4:
            x, g = x + p, g + y
        out.append(x)
    return out
