"""Broyden's method with a derivative-free line search."""

from typing import Any

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.roots import _globalisation as roots

TRIALS, TRIALS_EXACT, SHORT = 8, 40, 3


@method(problem="Root", needs={"residual", "jacobian"}, paper="li2000derivative")
class Broyden(roots.RootMethod):
    """Quasi-Newton steps with Broyden's good update, and Li and Fukushima's search.

    d = -H F,  s = t d,  y = F(x + s) - F,  q = s'H y / s's
    H+ = H - theta (H y - s) s'H / (s's (1 - theta + theta q))
    ||F(x + s)|| <= (1 + slack / (k + 1)^2) ||F|| - sigma ||s||^2

    t is the first of 1, 1/2, 1/4, ... that passes; theta is 1 where |q| >= 0.1, else
    keeps 1 - theta + theta q at +-0.1 (Powell). H begins as an inverse Jacobian, damped
    if singular, and again after three halvings or eight failures (ours, as weights).

    Superlinear where J is regular at the root. Fails near singular ones: newton_root.
    """

    sigma: Any = real(1e-3)
    slack: Any = real(0.1)

    def begun(self, x, F, A, C):
        no = jnp.asarray(False)
        return inverse(A / C, F), (jnp.zeros((), jnp.int32), no, ~no)

    def step(self, problem, state, key):
        F, C, (k, renew, exact) = state.F, state.C, state.met
        H, damped = roots.renewed(problem, state, renew, lambda A: inverse(A / C, F))
        d, exact, turn = -roots.product(H, F), exact | renew, k.astype(F.dtype) + 1
        size, length = tree.norm(F), tree.norm(d)

        def passes(t, value):
            most = (1 + self.slack / turn**2) * size
            return tree.norm(value) <= most - self.sigma * (t * length) ** 2

        at, x = roots.residual(problem, state), tree.ravel(state.x)[0]
        most = jnp.where(exact, TRIALS_EXACT, TRIALS)
        found = roots.search(at, x, d / C, passes, lambda t, _: t / 2, most)
        ok, kept = roots.taken(state, d / C, found)
        s, y = jnp.where(ok, jnp.stack([found.length * d, found.F - F]), 0)
        H = jnp.where(ok, updated(H, s, y), H)
        met = k + 1, ~ok | damped | (found.trials > SHORT), jnp.asarray(False)
        spent = state.residuals + found.trials, state.jacobians + renew
        return roots.RootState(*kept, (H, damped), state.w, C, met, *spent, ~ok & exact)


def inverse(A, F):
    """(A^-1, False), or ((A'A + ||F|| I)^-1 A', True) where A has none."""
    H = jnp.linalg.inv(A)
    spread = tree.norm(H) * tree.norm(A) * F.size * jnp.finfo(F.dtype).eps
    regular = tree.all_finite(H) & (spread < 1)
    normal = roots.product(A.T, A) + tree.norm(F) * jnp.eye(F.size, dtype=F.dtype)
    return jnp.where(regular, H, jnp.linalg.solve(normal, A.T)), ~regular


def updated(H, s, y):
    """Broyden's good update of an inverse, damped so that it stays regular."""
    Hy, square = roots.product(H, y), jnp.vdot(s, s)
    square = jnp.where(square > 0, square, 1)
    q = jnp.vdot(s, Hy) / square
    border = jnp.where(q < 0, -0.1, 0.1)
    theta = jnp.where(jnp.abs(q) >= 0.1, 1, (1 - border) / (1 - q))
    change = theta * (Hy - s) / (square * ((1 - theta) + theta * q))
    return H - change[:, None] * roots.product(s, H)
