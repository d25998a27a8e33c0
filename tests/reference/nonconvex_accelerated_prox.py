"""Ghadimi and Lan (2016), algorithm 1 with a prox (2.21-2.23), section 2.2; the
damping of Yang, Asgharian and Bhatnagar (2024), theorem 1, and their package's restart.

The split of the term by its rho, and x set to x_ag at a restart, are banach's own.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case, lasso

from banach.kinds.composite.problem import Composite
from banach.terms.folded_concave import MCP


def folded(gamma, far=0.6, **facts):
    """Least squares of 10 x 4 with MCP of 0.4 and gamma: (problem, oracles)."""
    rng = np.random.default_rng(22)
    A, b = rng.standard_normal((10, 4)) * [1, 0.7, 0.4, 0.2], rng.standard_normal(10)
    H, c, x0 = A.T @ A, A.T @ b, np.full(4, far)
    problem = Composite(
        lambda x: jnp.sum((A @ x - b) ** 2) / 2, MCP(0.4, gamma), x0, **facts
    )

    def prox(v, t):
        u = np.abs(v)
        firm = np.sign(v) * np.maximum(u - 0.4 * t, 0) / (1 - t / gamma)
        return np.where(u > 0.4 * gamma, v, firm)

    return problem, SimpleNamespace(grad=lambda x: H @ x - c, prox=prox)


PLAIN = {"restart": False, "damping": "optimal"}
CASES = [
    Case(*folded(2.0, L=20.0), told={"step_size": 0.99 / 19.5, "rho": 0.5}, steps=40),
    Case(*folded(0.2, L=7.0), told={"step_size": 0.99 / 5, "rho": 5.0}, steps=30),
    Case(*folded(1.0), given={"step_size": 0.03, "rho": 1.3, **PLAIN}),
    Case(
        *folded(1.0, far=3.0),
        given={"step_size": 0.04, "rho": 1.0, "damping": "harmonic"},
        steps=40,
    ),
    Case(*lasso(L=30.0), told={"step_size": 0.99 / 30, "rho": 0.0}, steps=30),
]


def iterates(oracles, x0, steps, *, step_size, rho, damping="optimal", restart=True):
    def P(v, t):  # the prox of t (g + rho/2 ||.||^2)
        return oracles.prox(v / (1 + t * rho), t / (1 + t * rho))

    x = ag = md = x0
    k, alpha, move, out = 1, 1.0, 1.0, []
    for _ in range(steps):
        old, md = md, (1 - alpha) * ag + alpha * x
        g = oracles.grad(md) - rho * md
        lam = step_size / alpha if damping == "optimal" else k * step_size / 2
        x, ag = P(x - lam * g, lam), P(md - step_size * g, step_size)
        before, move = move, np.linalg.norm(md - old)
        if restart and move < before and k > 3:
            x, alpha, k = ag, 1.0, 1
        else:
            k += 1
            root = np.sqrt(1 + 4 / alpha**2)
            alpha = 2 / (1 + root) if damping == "optimal" else 2 / (k + 1)
        out.append(ag)
    return out
