"""Trust-region Newton-CG: Steihaug (1983); Nocedal and Wright, algorithm 7.2."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from numpy.linalg import norm
from reference._case import Case
from scipy import optimize

from banach.kinds.smooth.problem import Smooth


def valley(x0):
    """Rosenbrock's function of any size: (problem, oracles)."""

    def f(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    return Smooth(f, np.array(x0)), SimpleNamespace(
        value=optimize.rosen, grad=optimize.rosen_der, hess=optimize.rosen_hess
    )


CASES = [
    Case(*valley([-1.2, 1.0, -0.5]), told={"radius": 1.0, "inner_steps": 10}),
    # Negative curvature is met.
    Case(*valley([0.1, 1.0, 0.9]), given={"radius": 0.3, "inner_steps": 50}),
    Case(*valley([-1.2, 1.0, 0.5, 0.8, 1.1]), given={"radius": 0.5, "inner_steps": 2}),
]

EXEMPT = {
    "accept = rho": "no case has a step that falls by less than 4e-4 of its promise",
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
        x = x + p if rho > 1e-4 else x
        if rho < 0.25:
            radius = norm(p) / 2
        elif rho > 0.75 and edge:
            radius = 2 * radius
        out.append(x)
    return out
