"""Doikov and Rodomanov (2023): both preconditioners, the basic gradient method.

By eigenvalues: P_tau has sigma_tau of the others; the best p over a Krylov space is a
weighted least-squares fit of 1 / lambda.
"""

import numpy as np
from reference._case import Case
from reference._newton import A, logistic, rosenbrock

B = A.T @ A / 4 + 0.1 * np.eye(5)
CASES = [
    Case(*logistic(), given={"metric": B, "tau": 2, "krylov": False}),
    Case(*logistic(), given={"metric": B, "tau": 1, "krylov": True}),
    Case(*logistic(2.0), told={"metric": None, "tau": 2, "krylov": True}),
    Case(*rosenbrock([-1.2, 1.0]), given={"metric": None, "tau": 1, "krylov": False}),
]
EXEMPT = {
    "noise=1e3": "decreases near the rounding of f",
    ">= 1 - 1e-8": "the rounding of a decrease that is just what was promised",
}


def iterates(oracles, x, steps, *, metric, tau, krylov):
    lam, V = np.linalg.eigh(oracles.hess(x) if metric is None else metric)
    lam = np.abs(lam)
    out, M = [], None
    scaled = lam / lam.sum()
    others = [np.poly(np.delete(scaled, i)) for i in range(lam.size)]
    sigma = np.array([(-1) ** tau * p[tau] for p in others])
    for _ in range(steps):
        f, g = oracles.value(x), V.T @ oracles.grad(x)
        d = sigma * g
        if krylov:
            K = np.stack([scaled**k * g for k in range(tau + 1)], axis=1)
            root = np.sqrt(lam)[:, None]
            d = K @ np.linalg.lstsq(root * K, g / root[:, 0], rcond=None)[0]
        M = d @ (lam * d) / (g @ d) if M is None else M
        trial = x - V @ d / M
        if f - oracles.value(trial) >= (1 - 1e-8) * g @ d / (2 * M):
            x, M = trial, M / 2
        else:
            M = 2 * M
        out.append(x)
    return out
