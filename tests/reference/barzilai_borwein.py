"""Barzilai-Borwein: Raydan (1997), algorithm GBB, with its first step of length 1.

Where s.y <= 0 the step is as long as the last: Raydan's constant there has units.
"""

from types import SimpleNamespace

import numpy as np
from reference._case import Case, bowl

from banach.kinds.smooth.problem import Smooth


def wells(x0):
    """Double wells, so that curvature is of both signs: (problem, oracles)."""
    value = lambda x: ((x**2 - 1) ** 2).sum()  # noqa: E731
    oracles = SimpleNamespace(value=value, grad=lambda x: 4 * x * (x**2 - 1))
    return Smooth(value, np.array(x0)), oracles


CASES = [
    Case(*bowl(scale=0.3), given={"memory": 1}, steps=25),
    Case(*wells([2.0, -0.2, 0.3]), given={"memory": 2}, steps=12),
    Case(*wells([0.1, -0.2, 0.05]), told={"memory": 10}, steps=8),
]


def iterates(oracles, x0, steps, *, memory):
    x, g, values, out = x0, oracles.grad(x0), [oracles.value(x0)], []
    s = -g / np.linalg.norm(g)
    for _ in range(steps):
        # The decrease that rounding hides is no failure.
        top = max(values[-memory:]) + 32 * 2.0**-52 * abs(values[-1])
        while oracles.value(x + s) > top + 1e-4 * (g @ s):
            s = s / 2
        x, g, old = x + s, oracles.grad(x + s), g
        values, y = [*values, oracles.value(x)], g - old
        size = (s @ s) / (s @ y) if s @ y > 0 else np.linalg.norm(s) / np.linalg.norm(g)
        s = -size * g
        out.append(x)
    return out
