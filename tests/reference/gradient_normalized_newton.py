"""Semenov, Jaggi and Doikov (2025), algorithm 1 with adaptive gamma."""

import jax.numpy as jnp
import numpy as np
from reference._case import Case
from reference._newton import A, logistic, rosenbrock

from banach.methods.smooth._hessian_models import Exact, Given, Zero

MAJORANT = A.T @ A / 4 + 0.1 * np.eye(5)
METRIC = A.T @ A / 40


def majorant(problem, x):
    """A bound of every Hessian of the logistic regression."""
    return jnp.asarray(MAJORANT)


CASES = [
    Case(*logistic(), told={"gamma": 1.0}, steps=6),
    Case(
        *logistic(),
        given={"curvature": Exact(), "metric": METRIC, "gamma": 0.7},
        steps=6,
    ),
    Case(*logistic(), given={"curvature": Given(majorant), "gamma": 9.0}, steps=9),
    Case(*logistic(), given={"curvature": Zero(), "metric": METRIC, "gamma": 0.7}),
    Case(*rosenbrock([0.1, 1.0, 0.9]), given={"curvature": Exact(), "gamma": 1.0}),
]
EXEMPT = {}


def iterates(oracles, x, steps, *, gamma, curvature=None, metric=None):
    models = {Given: lambda x: MAJORANT, Zero: lambda x: np.zeros((x.size, x.size))}
    model = models.get(type(curvature), oracles.hess)
    B = np.eye(x.size) if metric is None else metric
    out = []
    for _ in range(steps):
        f, g, C = oracles.value(x), oracles.grad(x), model(x)
        while True:
            lam = np.sqrt(g @ np.linalg.solve(B, g)) / gamma
            trial = x - np.linalg.solve(C + lam * B, g)
            h = oracles.grad(trial)
            definite = np.linalg.eigvalsh(C + lam * B)[0] > 0
            enough = h @ np.linalg.solve(B, h) / (8 * lam)
            if definite and f - oracles.value(trial) >= enough:
                break
            gamma = gamma / 2
        x, gamma = trial, 2 * gamma
        out.append(x)
    return out
