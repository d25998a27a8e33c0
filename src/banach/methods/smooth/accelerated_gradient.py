"""Nesterov's accelerated gradient method with adaptive restart."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import fact, flag
from banach.core.method import Method
from banach.parts.momentum import gradient_restart, nesterov_theta, weight


class AcceleratedGradientState(eqx.Module):
    x: PyTree
    y: PyTree
    theta: Float[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"grad"},
    assumes={"smooth", "convex"},
    paper="odonoghue2015adaptive",
    cost={"grad": 1},
    rate_of="f(x) - f*",
    rate=lambda c, t: 2 * c.L * c.radius**2 / (t + 1) ** 2,
)
class AcceleratedGradient(Method):
    """Gradient steps from an extrapolated point.

    x+ = y - grad f(y) / L,   y+ = x+ + (theta - 1) / theta+ (x+ - x)

    With `restart` the momentum is dropped (theta = 1) whenever it points uphill,
    grad f(y).(x+ - x) > 0: on strongly convex functions this recovers about
    sqrt(L / mu) steps a digit without knowing mu. The rate is proved without restarts.

    Fails when `step_size` is above 1 / L: it may diverge. Not monotone.
    """

    step_size: Any = fact("L", lambda L: 1 / L, instead="lbfgs, which needs no L")
    restart: bool = flag(True, static=True)

    def init(self, problem, start, key):
        one = jnp.ones((), tree.dtype(start.x))
        return AcceleratedGradientState(start.x, start.x, one, jnp.asarray(False))

    def step(self, problem, state, key):
        g = problem.grad(state.y)
        x = tree.axpy(-self.step_size, g, state.y)
        moved = tree.sub(x, state.x)
        theta = state.theta
        if self.restart:
            theta = jnp.where(gradient_restart(g, x, state.x), 1, theta)
        after = nesterov_theta(theta)
        y = tree.axpy(weight(theta, after), moved, x)
        still = tree.max_abs(moved) + tree.max_abs(tree.sub(y, state.y)) == 0
        return AcceleratedGradientState(x, y, after, still)
