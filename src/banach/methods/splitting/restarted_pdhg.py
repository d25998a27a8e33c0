"""Primal-dual hybrid gradient steps, begun again at their average."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Int

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.primal_dual import dual_prox, started, steps


class RestartedPdhgState(eqx.Module):
    """The averages since the last restart, the iterates, and the steps since."""

    x: Array
    y: Array
    last: tuple[Array, Array]
    turn: Int[Array, ""]


@method(
    problem="Structured",
    needs={"grad", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="applegate2023faster",
    cost={"grad": 1, "prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 1},
)
class RestartedPdhg(Method):
    """Chambolle and Pock's steps; every `period` of them begin at the last average.

    x+ = prox_{tau g}(x - tau (grad f(x) + K'y))
    y+ = prox_{sigma h*}(y + sigma K (2 x+ - x))

    The average of the steps since a restart is what is returned, and what the next
    `period` begins from. Where the problem is sharp, as every linear program is, and
    the period is long enough for it, the distance falls by a constant factor a period.
    The paper also restarts when a normalised duality gap has fallen enough, which
    needs no period; here the frequency is fixed. Steps as for `chambolle_pock`.

    Fails to gain where the period is far too short or too long: steps without restarts
    are then as good.
    """

    tau: Any = real()
    sigma: Any = real()
    period: Any = count()

    @classmethod
    def suggest(cls, problem, facts, tau=None, sigma=None, period=None):
        found = steps(problem, facts, tau, sigma)
        if not isinstance(found, tuple):
            return found
        return cls(*found, 64 if period is None else period)

    def init(self, problem, start, key):
        at = start.x, started(problem, start)
        return RestartedPdhgState(*at, at, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        (x, y), dtype = state.last, state.x.dtype
        tau, sigma = jnp.asarray(self.tau, dtype), jnp.asarray(self.sigma, dtype)
        slope = problem.grad(x) + problem.adjoint(y)
        new = problem.prox(x - tau * slope, tau)
        dual = dual_prox(problem, y + sigma * problem.forward(2 * new - x), sigma)
        turn = state.turn + 1
        mean = tree.lerp(1 / turn.astype(dtype), (state.x, state.y), (new, dual))
        again = turn >= self.period
        last = tree.where(again, mean, (new, dual))
        return RestartedPdhgState(*mean, last, jnp.where(again, 0, turn))

    def point(self, state):
        return Point(state.x, state.y)
