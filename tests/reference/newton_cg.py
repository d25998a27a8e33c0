"""Trust-region Newton-CG: Steihaug (1983); Nocedal and Wright, algorithm 7.2."""

import numpy as np
from numpy.linalg import norm
from reference._case import Case
from reference._newton import rosenbrock

CASES = [
    Case(*rosenbrock([-1.2, 1.0, -0.5]), told={"radius": 1.0, "inner_steps": 10}),
    # Negative curvature is met.
    Case(*rosenbrock([0.1, 1.0, 0.9]), given={"radius": 0.3, "inner_steps": 50}),
    Case(
        *rosenbrock([-1.2, 1.0, 0.5, 0.8, 1.1]), given={"radius": 0.5, "inner_steps": 2}
    ),
]
EXEMPT = {
    "rho > 1e-4": "no case has a step that falls by less than 4e-4 of its promise"
}


def iterates(oracles, x0, steps, *, radius, inner_steps):
    x, out, first = x0, [], norm(oracles.grad(x0))
    for _ in range(steps):
        f, g, H = oracles.value(x), oracles.grad(x), oracles.hess(x)
        p, r, d, edge, left = 0 * x, g, -g, False, inner_steps
        enough = min(0.5, np.sqrt(norm(g) / first)) * norm(g)
        while not edge and norm(r) > enough and left:
            a, left = r @ r / (d @ H @ d), left - 1
            edge = a <= 0 or norm(p + a * d) >= radius
            if edge:
                a = np.roots([d @ d, 2 * p @ d, p @ p - radius**2]).max()
            old, p, r = r @ r, p + a * d, r + a * H @ d
            d = -r + r @ r / old * d
        rho = (f - oracles.value(x + p)) / -(g @ p + p @ H @ p / 2)
        wide = 2 * radius if rho > 0.75 and edge else radius
        radius = norm(p) / 2 if rho < 0.25 else wide
        x = x + p if rho > 1e-4 else x
        out.append(x)
    return out
