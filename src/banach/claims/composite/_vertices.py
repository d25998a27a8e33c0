"""What Frank-Wolfe methods with vertices are tried on: quadratics, and a Lasso.

The Lasso is that of Lacoste-Julien and Jaggi (2015), section 5, at half the size:
Gaussian A, 25 of 250 coefficients of 1 or -1, 10 % noise, an l1 ball of 10.
"""

import functools

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.composite import _instances
from banach.claims.course import Seen
from banach.kinds.composite.problem import Composite
from banach.methods.composite.frank_wolfe import FrankWolfe
from banach.terms.sets import L1Ball, Simplex

N = 20


def _quadratic(x, H, c):
    return (x - c) @ H @ (x - c) / 2


def quadratics():
    """Condition number 10 on the simplex of 20, minimisers inside of faces."""
    found = {}
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        Q, _ = np.linalg.qr(rng.standard_normal((N, N)))
        H, c = (Q * np.linspace(0.1, 1, N)) @ Q.T, rng.standard_normal(N) / 4
        start = np.eye(N)[0]
        found[name] = Composite(
            _quadratic, Simplex(), start, (H, c), L=1.0, mu=0.1, convex=True
        )
    return found


def _squares(x, A, b):
    return jnp.sum((A @ x - b) ** 2) / 2


def lassos():
    """Five of them, begun at a vertex."""
    found = {}
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        A, x = rng.standard_normal((100, 250)), np.zeros(250)
        x[rng.permutation(250)[:25]] = rng.choice([-1.0, 1.0], 25)
        b = A @ x
        b = b + 0.1 * np.linalg.norm(b) / 10 * rng.standard_normal(100)
        L = float(np.linalg.norm(A, 2) ** 2)
        found[name] = Composite(
            _squares, L1Ball(10.0), 10 * np.eye(250)[0], (A, b), L=L, convex=True
        )
    return found


def contraction(method, overall=False):
    """h+ over (1 - mu (width / diameter)^2 / (4 M)) h, the largest of good steps.

    Good: no weight is dropped or moved whole. M = 2 L bounds the backtracking. With
    `overall`: h_t over (1 - ..)^(t/2) h_0.
    """
    worst, curves = {}, {}
    rate = 1 - 0.1 / (4 * 2) * (4 / N) / 2
    for name, problem in quadratics().items():
        run = runs.states(method, problem, 600)
        h = run.f - run.f.min()
        gone = np.any((run.weights[:-1] > 0) & (run.weights[1:] == 0), axis=1)
        seen = (h[:-1] > 1e-10) & ~gone
        worst[name] = np.max((h[1:] / np.maximum(h[:-1], 1e-300))[seen]) / rate
        if overall:
            limit = rate ** (np.arange(h.size) / 2) * h[0]
            worst[name] = np.max((h / limit)[1:])
        curves[name] = {"f - f*": h}
    few = {k: curves[k] for k in ("seed 0", "fresh")}
    return Seen(worst, few, ("steps", "f - f*"))


@functools.lru_cache
def _plain():
    return {k: _steps(p, FrankWolfe()) for k, p in lassos().items()}


def _steps(problem, method):
    out = runs.until(problem, method, _instances.gap, 1e-4, 10000)
    return out.steps if out.reached else 10000


def against_plain(method):
    """Steps until the gap is 1e-4 of the first, over plain Frank-Wolfe's (10,000)."""
    return {k: _steps(p, method(float(p.facts().L))) / _plain()[k]
            for k, p in lassos().items()}  # fmt: skip
