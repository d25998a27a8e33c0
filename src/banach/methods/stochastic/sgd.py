"""Stochastic gradient descent with a decreasing step."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, upper
from banach.core.method import Method, Refusal
from banach.parts import batches

BATCH = 32


class SgdState(eqx.Module):
    """Iterate, the order in which terms are drawn, and the step count."""

    x: PyTree
    order: batches.Shuffle
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="robbins1951stochastic",
    cost=None,
    random=True,
)
class Sgd(Method):
    """Steps along the gradient of the mean of a few terms.

    x+ = x - a_t g_B(x),  a_t = step_size / (1 + decay t),  |B| = batch

    Terms are drawn without replacement, in a fresh order every pass. For F mu-strongly
    convex, a_t = (2 / mu) / (2 L / mu + t) brings E F(x_t) - F* to O(1 / t) (Bottou,
    Curtis and Nocedal 2018, theorem 4.7); that is step_size = 1 / L and
    decay = mu / (2 L). Without mu the step halves in the first pass over the data.

    Fails where step_size is far above 1 / L: it diverges. With decay = 0 it ends in a
    ball around the solution whose radius grows with the step; with any decay it needs
    about 1 / tol^2 steps for a gradient of size tol.
    """

    absorbing: ClassVar[bool] = True

    step_size: Any = real()
    decay: Any = real(0.0, low="nonnegative")
    batch: int = count(BATCH, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        L = upper(facts, "L")
        if L is None:
            return Refusal(
                "L",
                "sgd takes 1 / L as its first step and L is unknown: declare L=... on "
                "the problem, pass bn.Sgd(step_size=...), or use adadagrad",
            )
        batch = min(BATCH, max(1, problem.n // 8))
        decay = batch / problem.n if facts.mu is None else facts.mu / (2 * L)
        return cls(step_size=1 / L, decay=decay, batch=batch)

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        order = batches.shuffled(problem.n, key)
        return SgdState(start.x, order, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        draw, noise = jax.random.split(key)
        order = batches.ready_for(state.order, self.batch, draw)
        index = batches.window(order, 0, self.batch)
        g = problem.stochastic_grad(state.x, index, None, noise)
        dtype = tree.dtype(state.x)
        step_size = jnp.asarray(self.step_size, dtype)
        slower = 1 + jnp.asarray(self.decay, dtype) * state.t.astype(dtype)
        x = tree.axpy(-step_size / slower, g, state.x)
        return SgdState(x, batches.spent(order, self.batch), state.t + 1)

    @property
    def typical(self):
        return {"stochastic_grad": self.batch}

    def calls(self, state):
        return {"stochastic_grad": state.t * self.batch}
