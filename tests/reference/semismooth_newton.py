"""Forward-backward Newton: Themelis, Ahookhosh and Patrinos (2019), exact systems."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case, lasso
from reference._sparse import soft

from banach.kinds.composite.problem import Composite
from banach.terms.norms import L1

USUAL = {"ratio": 0.95, "decrease": 0.5, "damping": 0.1}
X0 = np.array([3.0, -4.0, 0.05])


def steep():
    """sum sqrt(1 + x^2) + ||x||_1 / 10 with L = 1, where full steps overshoot."""
    problem = Composite(
        lambda x: jnp.sum(jnp.sqrt(1 + x**2)), L1(0.1), X0, convex=True, L=1.0
    )
    return problem, SimpleNamespace(
        value=lambda x: np.sum(np.sqrt(1 + x**2)),
        grad=lambda x: x / np.sqrt(1 + x**2),
        hess=lambda x: np.diag((1 + x**2) ** -1.5),
        term=lambda x: np.abs(x).sum() / 10,
        prox=lambda v, t: soft(v, 0.1 * t),
        slope=lambda v, t: (np.abs(v) > 0.1 * t) * 1.0,
    )


def squares():
    """The shared Lasso, with what else is asked for."""
    problem, o = lasso()
    o.hess = lambda x: np.stack([o.grad(e) - o.grad(0 * e) for e in np.eye(4)])
    o.term = lambda x: 0.4 * np.abs(x).sum()
    o.slope = lambda v, t: (np.abs(v) > 0.4 * t) * 1.0
    return problem, o


L = squares()[1].L
CASES = [
    Case(*squares(), told=USUAL | {"lipschitz": L}, steps=5),
    Case(*squares(), given={"ratio": 0.3, "damping": 0.5}, told={"decrease": 0.5,
         "lipschitz": L}, steps=6),
    Case(*steep(), told=USUAL | {"lipschitz": 1.0}, steps=6),
    Case(*steep(), given={"lipschitz": 1.5, "ratio": 0.5, "decrease": 0.9,
         "damping": 0.02}, steps=8),
]  # fmt: skip
FALLS = (
    "of starts drawn on `steep` none has a trial between a quarter of the fall asked "
    "and all of it: Newton's steps fall by more, or rise"
)
EXEMPT = {"decrease: Any": FALLS, "decrease": FALLS}


def iterates(oracles, x0, steps, *, lipschitz, ratio, decrease, damping):
    t, z, out, first = ratio / lipschitz, x0, [], None

    def T(z):
        return oracles.prox(z - t * oracles.grad(z), t)

    def level(z):
        """phi(z) - h(T(z))."""
        back = T(z) - z + t * oracles.grad(z)
        g = oracles.grad(z)
        return oracles.value(z) - t / 2 * g @ g + back @ back / (2 * t)

    def rise(new, z):
        """No less than phi(new) - phi(z), for h is convex."""
        v = (new - T(new)) / t - oracles.grad(new)
        bound = v @ (T(new) - T(z))
        assert bound >= oracles.term(T(new)) - oracles.term(T(z)) - 1e-12
        return level(new) - level(z) + bound

    for _ in range(steps):
        x = T(z)
        R = (z - x) / t
        first = np.linalg.norm(R) if first is None else first
        n, H = x.size, oracles.hess(z)
        P = np.diag(oracles.slope(z - t * oracles.grad(z), t))
        Q = np.eye(n) - t * H
        bent = Q @ (np.eye(n) - P @ Q) / t
        delta = damping * np.linalg.norm(R) / first / t
        d = np.linalg.solve(bent + delta * np.eye(n), -Q @ R)
        tau, fall = 1.0, decrease * t * (1 - ratio) / 2 * R @ R
        slack = 32 * np.finfo(float).eps * abs(level(z))
        while tau and rise(x + tau * (z + d - x), z) > slack - fall:
            tau = tau / 2 if tau > 2e-6 else 0.0
        z = x + tau * (z + d - x)
        out.append(T(z))
    return out
