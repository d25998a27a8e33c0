"""Barzilai-Borwein: Raydan (1997), algorithm GBB, with its first step of length 1.

The search of Grippo, Lampariello and Lucidi (1986) halves; where s.y <= 0 the step is
as long as the last (Raydan sets a constant, which has units).
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case, bowl

from banach.kinds.smooth.problem import Smooth


def wells(x0):
    """Double wells, so that curvature is of both signs: (problem, oracles)."""
    c = np.array([0.5, 1.0, 3.0])
    problem = Smooth(lambda x: jnp.sum(c * (x**2 - 1) ** 2), np.array(x0))
    return problem, SimpleNamespace(
        value=lambda x: np.sum(c * (x**2 - 1) ** 2),
        grad=lambda x: 4 * c * x * (x**2 - 1),
    )


CASES = [
    Case(*bowl(), told={"memory": 10}, steps=25),
    Case(*bowl(scale=0.3), given={"memory": 1}, steps=25),
    Case(*bowl(far=20.0), given={"memory": 3}, steps=25),
    Case(*wells([0.1, -0.2, 0.05]), told={"memory": 10}, steps=20),
    Case(*wells([2.0, -0.2, 0.3]), given={"memory": 2}, steps=20),
]


def iterates(oracles, x0, steps, *, memory):
    x, f, g, out = x0, oracles.value(x0), oracles.grad(x0), []
    values, size = [f], 1 / np.linalg.norm(g)
    for _ in range(steps):
        lam, d = 1.0, -size * g
        while not (  # the decrease that rounding hides is no failure
            oracles.value(x + lam * d)
            <= max(values[-memory:]) + 1e-4 * lam * (g @ d) + 32 * 2.0**-52 * abs(f)
        ):
            lam /= 2
        s = lam * d
        x, old = x + s, g
        f, g = oracles.value(x), oracles.grad(x)
        values.append(f)
        y = g - old
        size = (s @ s) / (s @ y) if s @ y > 0 else np.linalg.norm(s) / np.linalg.norm(g)
        out.append(x)
    return out
