"""Dauphin et al. (2014), algorithm 1 with the exact |H|; the grid as documented."""

import numpy as np
from reference._case import Case
from reference._newton import logistic, rosenbrock, steep

CASES = [
    Case(*rosenbrock([-0.6, 1.0, -0.5]), given={"damping": 0.5}, steps=5),
    Case(*rosenbrock([-1.2, 1.0, -0.5]), told={"damping": None}),
    Case(*steep([30.0, -7.0]), told={"damping": None}, steps=18),
    Case(*logistic(), told={"damping": None}, steps=6),
]
EXEMPT = {"NOISE = 1e3": "what counts as rounding of f"}


def iterates(oracles, x, steps, *, damping):
    out, lift = [], 1.0
    noise = lambda f: 1e3 * np.finfo(float).eps * abs(f)  # noqa: E731
    for _ in range(steps):
        f, g, H = oracles.value(x), oracles.grad(x), oracles.hess(x)
        values, V = np.linalg.eigh(H)
        absolute = (V * np.abs(values)) @ V.T
        top = np.abs(values).max() * lift
        grid = top * 10.0 ** -np.arange(7) if damping is None else [damping]
        trials = [x - np.linalg.solve(absolute + a * np.eye(x.size), g) for a in grid]
        at = np.array([oracles.value(y) for y in trials])
        trial = trials[np.nonzero(at <= at.min() + noise(at.min()))[0][-1]]
        slopes = (g + oracles.grad(trial)) @ (trial - x)
        deep = -g @ (trial - x) / 2 > noise(f) or at.min() < f - noise(f)
        if damping is not None:
            x = trial
        elif at.min() < f if deep else slopes < 0:
            x, lift = trial, max(lift / 10, 1)
        else:
            lift = 10 * lift
        out.append(x)
    return out
