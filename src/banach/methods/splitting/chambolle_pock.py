"""The primal-dual hybrid gradient method of Chambolle and Pock."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.primal_dual import dual_prox, started, steps


class ChambollePockState(eqx.Module):
    """Iterates, the extrapolated x, and the steps."""

    x: Array
    y: Array
    bar: Array
    tau: Float[Array, ""]
    sigma: Float[Array, ""]


@method(
    problem="Structured",
    needs={"grad", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="chambolle2011first",
    cost={"grad": 1, "prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 1},
)
class ChambollePock(Method):
    """Proximal steps in the dual and in the primal, x extrapolated between them.

    y+ = prox_{sigma h*}(y + sigma K x_bar)
    x+ = prox_{tau g}(x - tau (grad f(x) + K'y+)),  x_bar = x+ + theta (x+ - x)

    Algorithm 1 of the paper has theta = 1 and fixed steps, tau sigma ||K||^2 <= 1.
    With gamma > 0, a constant of strong convexity of g, algorithm 2: theta =
    1 / sqrt(1 + 2 gamma tau), tau+ = theta tau, sigma+ = sigma / theta, and
    ||x - x*||^2 falls as 1 / N^2; algorithm 1 is often linear in the end, so that
    gamma is 0 unless given. The gradient of f is the step of Condat and Vu; it asks
    for 1 / tau - sigma ||K||^2 >= L / 2. Default: sigma = L / ||K||^2 and tau =
    1 / (1.5 L), without f 1 / ||K|| each.

    Fails when the steps are longer: the iterates may circle or diverge.
    """

    tau: Any = real()
    sigma: Any = real()
    gamma: Any = real(low="nonnegative")

    @classmethod
    def suggest(cls, problem, facts, tau=None, sigma=None, gamma=None):
        found = steps(problem, facts, tau, sigma)
        if not isinstance(found, tuple):
            return found
        return cls(*found, 0 if gamma is None else gamma)

    def init(self, problem, start, key):
        y = started(problem, start)
        tau, sigma = (jnp.asarray(v, start.x.dtype) for v in (self.tau, self.sigma))
        return ChambollePockState(start.x, y, start.x, tau, sigma)

    def step(self, problem, state, key):
        tau, sigma, old = state.tau, state.sigma, state.x
        y = dual_prox(problem, state.y + sigma * problem.forward(state.bar), sigma)
        slope = problem.grad(old) + problem.adjoint(y)
        x = problem.prox(old - tau * slope, tau)
        theta = 1 / jnp.sqrt(1 + 2 * jnp.asarray(self.gamma, tau.dtype) * tau)
        bar = x + theta * (x - old)
        return ChambollePockState(x, y, bar, theta * tau, sigma / theta)

    def point(self, state):
        return Point(state.x, state.y)
