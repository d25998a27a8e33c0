"""SR1 in a trust region: Conn, Gould and Toint (1991); Nocedal and Wright (2006).

Their algorithm 6.2, with exact steps: the easy case by bisection. B begins as ||g|| I
and becomes (||y|| / ||p||) I before the first correction (banach's own).
"""

from types import SimpleNamespace

import numpy as np
from reference._case import Case, bowl
from scipy.optimize import brentq

from banach.kinds.smooth.problem import Smooth


def valley(x0):
    """Rosenbrock's function: (problem, oracles)."""

    def f(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    def grad(x):
        bend = x[1] - x[0] ** 2
        return np.array([-400 * x[0] * bend - 2 * (1 - x[0]), 200 * bend])

    return Smooth(f, np.array(x0)), SimpleNamespace(value=f, grad=grad)


CASES = [
    Case(*bowl(), told={"radius": np.inf}, steps=5),
    Case(*bowl(), given={"radius": 0.3}, steps=6),
    Case(*valley([-1.2, 1.0]), given={"radius": 0.5}, steps=25),
]

EXEMPT = {
    "accept = rho": "no case has a step that falls by less than 4e-4 of its promise",
    "keep = seen & (jnp.abs(bend)": "where rounding begins to own r.p is no one number",
}


def iterates(oracles, x0, steps, *, radius):
    x, g, eye, out = x0, oracles.grad(x0), np.eye(x0.size), []
    B, blank = np.linalg.norm(g) * eye, True
    for _ in range(steps):
        f = oracles.value(x)
        p, bound = subproblem(B, g, radius, np.linalg.norm(x))
        rho = (f - oracles.value(x + p)) / -(g @ p + p @ B @ p / 2)
        y = oracles.grad(x + p) - g
        if blank:
            B, blank = np.linalg.norm(y) / np.linalg.norm(p) * eye, False
        r = y - B @ p
        if abs(r @ p) >= 1e-8 * np.linalg.norm(r) * np.linalg.norm(p) > 0:
            B = B + np.outer(r, r) / (r @ p)
        if bound:
            radius = np.linalg.norm(p)
        if rho < 0.25:
            radius = min(np.linalg.norm(p), radius) / 2
        elif rho > 0.75 and bound:
            radius = 2 * radius
        if rho > 1e-4:
            x, g = x + p, g + y
        out.append(x)
    return out


def subproblem(B, g, radius, size):
    """The step, and whether it ends on the boundary."""

    def step(lam):
        return -np.linalg.solve(B + lam * np.eye(g.size), g)

    values = np.linalg.eigvalsh(B)
    least = values[0]
    if least <= 0 and np.isinf(radius):  # banach's own choice
        radius = max(size, np.linalg.norm(g) / np.abs(values).max())
    if least > 0 and np.linalg.norm(step(0.0)) <= radius:
        return step(0.0), False
    low, high = max(-least, 0) * (1 + 1e-10) + 1e-10, np.linalg.norm(g) / radius - least
    lam = brentq(
        lambda t: 1 / radius - 1 / np.linalg.norm(step(t)),
        low, high, xtol=1e-300, rtol=1e-15,
    )  # fmt: skip
    return step(lam), True
