"""Monotonic Frank-Wolfe: Carderera, Besancon and Pokutta (2021), algorithm 1.

On a portfolio of logarithmic utility, whose vertices lie outside the domain, and on a
bowl over the simplex, where steps are refused because f rises.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.composite.problem import Composite
from banach.terms.sets import Simplex

rng = np.random.default_rng(5)
R = rng.uniform(0.5, 1.5, (20, 6)) * (rng.random((20, 6)) > 0.4)
Q, C = np.diag([1.0, 2.0, 3.0, 4.0]), np.array([0.3, 0.2, 0.1, 0.4])


def utility(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.sum(np.log(R @ x))


def vertex(g):
    return np.eye(g.size)[np.argmin(g)]


PORTFOLIO = (
    Composite(lambda x: -jnp.sum(jnp.log(R @ x)), Simplex(), np.full(6, 1 / 6)),
    SimpleNamespace(value=utility, grad=lambda x: -R.T @ (1 / (R @ x)), lmo=vertex),
)
BOWL = (
    Composite(lambda x: (x - C) @ Q @ (x - C) / 2, Simplex(), np.eye(4)[0]),
    SimpleNamespace(
        value=lambda x: (x - C) @ Q @ (x - C) / 2,
        grad=lambda x: Q @ (x - C),
        lmo=vertex,
    ),
)
CASES = [Case(*PORTFOLIO, steps=60), Case(*BOWL, steps=40)]


def iterates(oracles, x0, steps):
    x, out = x0, []
    for t in range(steps):
        v = oracles.lmo(oracles.grad(x))
        y = x + 2 / (t + 2) * (v - x)
        if np.isfinite(oracles.value(y)) and oracles.value(y) <= oracles.value(x):
            x = y
        out.append(x)
    return out
