"""Gradient descent of an elliptic energy in a Sobolev metric."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method


class SobolevGradientFlowState(eqx.Module):
    """Nodal values; `stuck`: the last step moved nothing."""

    u: Float[Array, "*grid"]
    stuck: Bool[Array, ""]


@method(
    problem="EllipticEnergy",
    needs={"grad", "riesz"},
    assumes={"strongly_convex", "smooth"},
    paper="marwah2023neural",
    rate_of="||u - u*||_H1",
    rate=lambda c, t: c.rho**t * c.radius_h1,
    cost={"grad": 1, "riesz": 1},
)
class SobolevGradientFlow(Method):
    """Preconditioned functional gradient steps, u+ = u - eta (s - laplace)^-1 E'(u).

    With lower <= <E'' v, v> / (|v|_H1^2 + s ||v||^2) <= upper, from what the problem
    declares, and eta = 2 / (lower + upper), every step contracts the distance to u* in
    that norm by (upper - lower) / (upper + lower), on every grid; the plain gradient
    needs h^-2 steps. s = 1 is the paper's metric, known by its abstract; its step,
    smaller by powers of the constants, is replaced by the classical one.

    Fails (diverges) where `upper` is declared below the truth, and slows down where
    upper / lower is large: then newton_cg or lbfgs may win.
    """

    step_size: Real = real()
    shift: Real = real(1.0, low="nonnegative")

    @classmethod
    def suggest(cls, problem, facts, shift=1.0):
        low, high = problem.ellipticity(shift)
        return cls(step_size=2 / (low + high), shift=shift)

    def init(self, problem, start, key):
        return SobolevGradientFlowState(jnp.asarray(start.x), jnp.asarray(False))

    def step(self, problem, state, key):
        direction = problem.riesz(problem.grad(state.u), self.shift)
        u = tree.axpy(-jnp.asarray(self.step_size), direction, state.u)
        return SobolevGradientFlowState(u, jnp.all(u == state.u))
