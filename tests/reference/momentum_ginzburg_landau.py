"""Akande et al. (2025): convex-concave splitting with FISTA's weights, and restarts."""

import numpy as np
from reference._case import Case, bowl
from reference._newton import logistic, rosenbrock

# Of the well: the chain's Hessian at its minimiser, and more where it bends.
WELL = rosenbrock([0.8, 1.0, 0.9])
Q = WELL[1].hess(np.ones(3)) + np.diag([50.0, 20.0, 30.0])
CASES = [
    Case(*bowl(L=4.0), told={"step_size": 2.5, "c": 4.0}, steps=40),
    Case(*logistic(), {"step_size": 0.3, "c": 70.0, "momentum": 0.6}),
    Case(*logistic(), {"step_size": 3.0, "c": 9.0, "restart": False}, steps=9),
    Case(*WELL, {"step_size": 0.1, "c": 100.0, "metric": Q}, steps=60),
    Case(*WELL, {"metric": Q}, {"step_size": 30 / np.trace(Q), "c": 0.0}, 25),
]


def iterates(
    oracles, u, steps, *, step_size, c, metric=None, momentum=None, restart=True
):
    t, old, n, out = step_size, u, 0, []
    convex = c * np.eye(u.size) + (0 if metric is None else metric)
    for _ in range(steps):
        b = n / (n + 3) if momentum is None else momentum
        v = u + b * (u - old)
        concave = convex @ v - oracles.grad(v)
        new = np.linalg.solve(np.eye(u.size) + t * convex, v + t * concave)
        if restart and n > 0 and oracles.value(new) > oracles.value(u):
            old, n = u, 0
        else:
            old, u, n = u, new, n + 1
        out.append(u)
    return out
