"""STORM: momentum that is corrected at every step, and needs no snapshot."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.methods.stochastic import _variance_reduction as reduced


class StormState(eqx.Module):
    """Iterate, the one before, d, the next a, sum of squared norms, step count."""

    x: PyTree
    old: PyTree
    d: PyTree
    a: Float[Array, ""]
    squares: Float[Array, ""]
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"smooth"},
    paper="cutkosky2019momentum",
    random=True,
)
class Storm(Method):
    """Momentum whose old part is moved to the new point by the same batch.

    d_t = g_t(x_t) + (1 - a_t) (d_{t-1} - g_t(x_{t-1})),  d_1 = g_1(x_1)
    eta_t = k / (w + sum_{i<=t} ||g_i(x_i)||^2)^(1/3),  a_{t+1} = min(c eta_t^2, 1)
    x_{t+1} = x_t - eta_t d_t

    g_t is the gradient of `batch` terms, drawn independently. With gradients of terms
    of norm up to G, k = b G^(2/3) / L, c = 28 L^2 + G^2 / (7 L k^3) and
    w = max((4 L k)^3, 2 G^2, (c k / (4 L))^3) the mean of ||F'(x_t)|| over T steps is
    O(sqrt(log T / T) + (sigma / T)^(1/3)), convex or not; there a_t is below 1 by
    itself, else it is cut. The defaults are w = k = 0.1 of the paper's experiments,
    and c = 100, one of those that it sweeps.

    Terms are taken as a check sees them. Fails where k is far from the unit of the
    answer, or c so large that a = 1: then it is SGD with a slowly falling step.
    """

    absorbing: ClassVar[bool] = True

    k: Any = real(0.1)
    w: Any = real(0.1)
    c: Any = real(100.0)
    batch: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(batch=reduced.batch_of(problem))

    def init(self, problem, start, key):
        x, one = start.x, jnp.ones((), tree.dtype(start.x))
        none = jnp.zeros((), jnp.int32)
        return StormState(x, x, tree.zeros_like(x), one, 0 * one, none)

    def step(self, problem, state, key):
        index = reduced.drawn(problem, self.batch, key)
        g = problem.stochastic_grad(state.x, index)
        before = problem.stochastic_grad(state.old, index)
        d = tree.axpy(1 - state.a, tree.sub(state.d, before), g)
        squares = state.squares + tree.vdot(g, g)
        k, w, c = (jnp.asarray(v, squares.dtype) for v in (self.k, self.w, self.c))
        eta = k / jnp.cbrt(w + squares)
        x = tree.axpy(-eta, d, state.x)
        a = jnp.minimum(c * eta**2, 1)
        return StormState(x, state.x, d, a, squares, state.t + 1)

    @property
    def typical(self):
        return {"stochastic_grad": 2 * self.batch}

    def calls(self, state):
        return {"stochastic_grad": 2 * self.batch * state.t}
