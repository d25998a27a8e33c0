"""Levenberg-Marquardt with Nielsen's damping (Madsen, Nielsen and Tingleff 2004)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method


class DampedState(eqx.Module):
    """Iterate, damping, and the factor by which a refused step raises it."""

    x: Float[Array, " n"]
    damping: Float[Array, ""]
    rise: Float[Array, ""]


@method(
    problem="Smooth",
    needs={"residual"},
    paper="madsen2004methods",
    cost={"residual": 3},
)
class Damped(Method):
    """Gauss-Newton steps h = -(J'J + m I)^-1 J'r with damping m.

    A step is taken where it achieves more than `accept` of what its model promised,
    rho; then m falls by max(1/3, 1 - (2 rho - 1)^3), otherwise it rises.
    """

    first: Any = real(0.5)
    accept: Any = real(0.25, below=1)

    def init(self, problem, start, key):
        kind = tree.dtype(start.x)
        rise = jnp.asarray(2.0, kind)
        return DampedState(start.x, jnp.asarray(self.first, kind), rise)

    def step(self, problem, state, key):
        x, m = state.x, state.damping
        r, J = problem.residual(x), jax.jacfwd(problem.residual)(x)
        g = J.T @ r
        h = -jnp.linalg.solve(J.T @ J + m * jnp.eye(x.size), g)
        new = problem.residual(x + h)
        rho = (r @ r - new @ new) / (h @ (m * h - g))
        good = rho > self.accept
        fall = jnp.maximum(1 / 3, 1 - (2 * rho - 1) ** 3)
        return DampedState(
            jnp.where(good, x + h, x),
            jnp.where(good, m * fall, m * state.rise),
            jnp.where(good, 2.0, 2 * state.rise),
        )
