"""DCDM: Kaneda et al. (2023), algorithm 1, with r by recurrence; no restart."""

import jax.numpy as jnp
import numpy as np
from reference._case import Case
from reference.conjugate_gradient import DENSE

NEAR = np.linalg.inv(DENSE[1].A) + 0.002 * np.random.default_rng(4).normal(
    size=(12, 12)
)


def network(r, apart):
    """A small nonlinear one, for NumPy and JAX."""
    d = (
        NEAR @ r
        if isinstance(r, np.ndarray)
        else jnp.matmul(NEAR, r, precision="highest")
    )
    return d + 0.01 * d * (d > 0)


CASES = [
    Case(*DENSE, given={"network": network, "memory": memory}, steps=8)
    for memory in (1, 3)
] + [Case(*DENSE, given={"network": network}, told={"memory": 2}, steps=8)]
EXEMPT = {"typical": "what a network costs paces the checks, and no iterate feels it"}


def iterates(oracles, x0, steps, *, network, memory):
    A, b = oracles.A, oracles.b
    x, r, past, out = x0, b - A @ x0, [], []
    for _ in range(steps):
        d = network(r / np.linalg.norm(r), None)
        for old in past[-memory:]:
            d = d - (d @ A @ old) / (old @ A @ old) * old
        a = (r @ d) / (d @ A @ d)
        x, r = x + a * d, r - a * (A @ d)
        past.append(d)
        out.append(x)
    return out
