"""Liu, Nurbekyan, Tian and Yang (2023): AEPG; c raised as documented."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case, bowl
from reference._newton import logistic

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.energy_preconditioned_gd import Constant, Entropy

W = np.array([1.0, 2.0, 4.0])


def positive():
    """sum w (x - 1 / w)^2 over the simplex of three unknowns: (problem, oracles)."""
    problem = Smooth(lambda x: jnp.sum(W * (x - 1 / W) ** 2), np.array([0.2, 0.5, 0.3]))
    return problem, SimpleNamespace(
        value=lambda x: np.sum(W * (x - 1 / W) ** 2),
        grad=lambda x: 2 * W * (x - 1 / W),
    )


FIXED = Constant(np.diag([1.0, 2.0, 3.0, 4.0, 5.0]) + 0.2)
CASES = [
    Case(*logistic(), told={"eta": None, "metric": Constant(), "c": 1.0}),
    Case(*bowl(L=4.0), told={"eta": 0.25, "metric": Constant(), "c": 1.0}),
    Case(*logistic(), given={"eta": 0.3, "metric": FIXED, "c": 0.5}),
    Case(*positive(), given={"eta": 0.1, "metric": Entropy(), "c": 2.0}),
    Case(*positive(), given={"eta": 0.2, "metric": Entropy(True), "c": 0.3}),
]


def inverse(metric, x):
    if isinstance(metric, Constant):
        return np.eye(x.size) if metric.A is None else np.linalg.inv(metric.A)
    B = np.ones((1, x.size))
    out = np.diag(x)
    return out - out @ B.T @ B @ out / (B @ out @ B.T) if metric.simplex else out


def iterates(oracles, x, steps, *, eta, metric, c):
    out, first = [], c
    c = max(c, first - oracles.value(x))
    r = np.sqrt(oracles.value(x) + c)
    if eta is None:
        g = oracles.grad(x)
        eta = 0.1 * r**2 / (g @ inverse(metric, x) @ g)
    for _ in range(steps):
        c = max(c, first - oracles.value(x))
        v = oracles.grad(x) / (2 * np.sqrt(oracles.value(x) + c))
        way = inverse(metric, x) @ v
        r = r / (1 + 2 * eta * v @ way)
        x = x - 2 * eta * r * way
        out.append(x)
    return out
