"""Sinkhorn's matrix scaling, in the log domain."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts import transport_newton


class SinkhornState(eqx.Module):
    """Potentials, the eps of the next sweep, whether nothing moves any more."""

    x: PyTree
    eps: Float[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Transport",
    needs={"transform"},
    assumes={"convex"},
    paper="cuturi2013sinkhorn",
    cost={"transform": 2},
)
class Sinkhorn(Method):
    """Each marginal is matched exactly in turn.

    f_i = -eps log sum_j b_j exp((g_j - C_ij) / eps), then g likewise from f

    Both are logsumexps, so that no eps overflows. With `decay` < 1 eps falls by it in
    every sweep, from `first` times the average cost to the problem's.

    Slow where eps is small: sweeps grow like 1 / eps, at worst exp(range of C / eps).
    """

    decay: Real = real(1.0, most=1)
    first: Real = real(1.0)

    def init(self, problem, start, key):
        eps = transport_newton.first_eps(problem, start.x, self.decay, self.first)
        return SinkhornState(start.x, eps, jnp.asarray(False))

    def step(self, problem, state, key):
        here = problem.with_eps(state.eps)
        f = here.transform(state.x[1], 0)
        x = (f, here.transform(f, 1))
        last = jnp.asarray(problem.eps, state.eps.dtype)
        eps = jnp.maximum(last, state.eps * self.decay)
        stuck = transport_newton.still(x, state.x) & (state.eps <= last)
        return SinkhornState(x, eps, stuck)

    def point(self, state):
        # The dual does not see this shift; the problem's gauge does.
        return Point(transport_newton.centred(state.x))
