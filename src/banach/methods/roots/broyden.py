"""Broyden's method with a derivative-free line search."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.methods.roots import _globalisation

TRIALS, TRIALS_EXACT, SHORT = 8, 40, 3


class BroydenState(eqx.Module):
    """Iterate, weighted F, H near the inverse of its Jacobian, and what was met."""

    x: PyTree
    F: Float[Array, " n"]
    H: Float[Array, "n n"]
    damped: Bool[Array, ""]
    w: Float[Array, " n"]
    C: Float[Array, " n"]
    k: Int[Array, ""]
    renew: Bool[Array, ""]
    exact: Bool[Array, ""]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(problem="Root", needs={"residual", "jacobian"}, paper="li2000derivative")
class Broyden(Method):
    """Quasi-Newton steps with Broyden's good update, and Li and Fukushima's search.

    d = -H F,  s = t d,  y = F(x + s) - F,  q = s'H y / s's
    H+ = H - theta (H y - s) s'H / (s's ((1 - theta) + theta q))

    with t the first of 1, 1/2, 1/4, ... for which

    ||F(x + s)|| <= (1 + slack / (k + 1)^2) ||F|| - sigma ||s||^2

    so that no derivative is asked for, and ||F|| may rise a little (their separate
    test of t = 1 is implied by this one where both use one sigma). theta is 1 where
    |q| >= 0.1, else what makes 1 - theta + theta q +-0.1: H stays regular (Powell).

    H starts as the inverse Jacobian, and is renewed as that after three halvings, or
    where eight trials fail; with a fresh Jacobian forty are made, and a singular one
    gives a damped step. That, weights of
    equations by their terms at the start and of unknowns by columns of the first
    Jacobian, in which norms are taken, are ours.

    Superlinear where the Jacobian is regular at the root. Fails near singular ones,
    where newton_root has a damped step.
    """

    sigma: Any = real(1e-3)
    slack: Any = real(0.1)

    typical: ClassVar[Mapping[str, float]] = {"residual": 1, "jacobian": 0.1}

    @classmethod
    def suggest(cls, problem, facts):
        return _globalisation.not_square("broyden", problem) or cls()

    def init(self, problem, start, key):
        x = tree.ravel(start.x)[0]
        F, J = tree.ravel(problem.residual(start.x))[0], problem.jacobian(start.x)
        w = _globalisation.weights(F, J, x)
        C = _globalisation.columns(w[:, None] * J)
        zero, no = jnp.zeros((), jnp.int32), jnp.asarray(False)
        H, damped = inverse(w[:, None] * J / C, w * F)
        return BroydenState(
            start.x, w * F, H, damped, w, C, zero, no, ~no, zero + 1, zero + 1, no
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        w, C, F, size = state.w, state.C, state.F, tree.norm(state.F)
        H, damped = jax.lax.cond(
            state.renew,
            lambda: inverse(w[:, None] * problem.jacobian(state.x) / C, F),
            lambda: (state.H, state.damped),
        )
        exact = state.exact | state.renew
        d = -_globalisation.product(H, F)
        length = tree.norm(d)
        k = state.k.astype(F.dtype)

        def weighted(v):
            return w * tree.ravel(problem.residual(back(v)))[0]

        def passes(t, value):
            after, charge = tree.norm(value), self.sigma * (t * length) ** 2
            return after <= (1 + self.slack / (k + 1) ** 2) * size - charge

        found = _globalisation.search(
            weighted, x, d / C, passes, lambda t, value: t / 2,
            jnp.where(exact, TRIALS_EXACT, TRIALS),
        )  # fmt: skip
        moved = x + found.length * d / C
        ok = found.ok & jnp.any(moved != x)
        s = jnp.where(ok, found.length * d, 0)
        y = jnp.where(ok, found.F - F, 0)
        return BroydenState(
            x=tree.where(ok, back(moved), state.x),
            F=jnp.where(ok, found.F, F),
            H=jnp.where(ok, updated(H, s, y), H),
            w=w,
            C=C,
            k=state.k + 1,
            damped=damped,
            renew=~ok | damped | (found.trials > SHORT),
            exact=jnp.asarray(False),
            residuals=state.residuals + found.trials,
            jacobians=state.jacobians + state.renew,
            stuck=~ok & exact,
        )

    def calls(self, state):
        return {"residual": state.residuals, "jacobian": state.jacobians}


def inverse(A, F):
    """(A^-1, False), or ((A'A + ||F|| I)^-1 A', True) where A has none."""
    H = jnp.linalg.inv(A)
    spread = tree.norm(H) * tree.norm(A) * F.size * jnp.finfo(F.dtype).eps
    regular = tree.all_finite(H) & (spread < 1)
    eye = tree.norm(F) * jnp.eye(F.size, dtype=F.dtype)
    damped = jnp.linalg.solve(_globalisation.product(A.T, A) + eye, A.T)
    return jnp.where(regular, H, damped), ~regular


def updated(H, s, y):
    """Broyden's good update of an inverse, damped so that it stays regular."""
    Hy, square = _globalisation.product(H, y), jnp.vdot(s, s)
    square = jnp.where(square > 0, square, 1)
    q = jnp.vdot(s, Hy) / square
    border = jnp.where(q < 0, -0.1, 0.1)
    theta = jnp.where(jnp.abs(q) >= 0.1, 1, (1 - border) / (1 - q))
    change = theta * (Hy - s) / (square * ((1 - theta) + theta * q))
    return H - change[:, None] * _globalisation.product(s, H)
