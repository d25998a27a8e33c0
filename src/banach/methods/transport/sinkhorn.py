"""Sinkhorn's matrix scaling, in the log domain."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts import transport_newton


class SinkhornState(eqx.Module):
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

    Both are logsumexps, so that no eps overflows. `decay` < 1 scales eps: the first
    sweep is at `first` times the average cost, and eps falls by `decay` a sweep
    until it is the problem's. 1 is the plain method.

    Slow where eps is small: the linear rate tends to 1 like exp(-range of C / eps)
    in the worst case, and in practice sweeps grow like 1 / eps and more.
    """

    decay: Float[Array, ""] = real(1.0, most=1)
    first: Float[Array, ""] = real(1.0)

    def init(self, problem, start, key):
        eps = jnp.asarray(problem.eps, tree.dtype(start.x))
        above = jnp.maximum(eps, self.first * problem.average_cost())
        eps = jnp.where(self.decay < 1, above, eps)
        return SinkhornState(start.x, eps, jnp.asarray(False))

    def step(self, problem, state, key):
        here = problem.with_eps(state.eps)
        f = here.transform(state.x[1], 0)
        x = (f, here.transform(f, 1))
        last = jnp.asarray(problem.eps, state.eps.dtype)
        return SinkhornState(
            x=x,
            eps=jnp.maximum(last, state.eps * self.decay),
            stuck=transport_newton.still(x, state.x) & (state.eps <= last),
        )

    def point(self, state):
        # The dual does not see this shift; the problem's gauge does.
        return Point(transport_newton.centred(state.x))
