"""DCDM: Kaneda et al. (2023), algorithm 1, with r by recurrence; no restart."""

import jax.numpy as jnp
import numpy as np
from reference._case import Case
from reference._linear import DENSE, A

NEAR = np.linalg.inv(A) + 0.002 * np.random.default_rng(4).normal(size=A.shape)


def network(r, apart):
    """A small nonlinear one, for NumPy and JAX."""
    own = isinstance(r, np.ndarray)
    d = NEAR @ r if own else jnp.matmul(NEAR, r, precision="highest")
    return d + 0.01 * d * (d > 0)


CASES = [
    Case(*DENSE, given={"network": network}, told={"memory": 2}, steps=8),
    Case(*DENSE, given={"network": network, "memory": 1}, steps=8),
    Case(*DENSE, given={"network": network, "memory": 3}, steps=8),
]
EXEMPT = {"typical": "what a network costs paces the checks, and no iterate feels it"}


def iterates(oracles, x0, steps, *, network, memory):
    A, x, r = oracles.A, x0, oracles.b - oracles.A @ x0
    past, out = [], []
    for _ in range(steps):
        d = network(r / np.linalg.norm(r), None)
        for old in past[-memory:]:
            d = d - (d @ A @ old) / (old @ A @ old) * old
        a = (r @ d) / (d @ A @ d)
        x, r = x + a * d, r - a * (A @ d)
        past.append(d)
        out.append(x)
    return out
