"""Stochastic gradient descent with a decreasing step."""

from typing import Any, ClassVar

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, upper
from banach.core.method import Refusal
from banach.parts import batches


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="robbins1951stochastic",
    random=True,
)
class Sgd(batches.InBatches):
    """Steps along the gradient of the mean of a few terms.

    x+ = x - a_t g_B(x),  a_t = step_size / (1 + decay t),  |B| = batch

    Terms are drawn without replacement, in a fresh order every pass. For F mu-strongly
    convex, step_size = 1 / L and decay = mu / (2 L) bring E F(x_t) - F* to O(1 / t)
    (Bottou, Curtis and Nocedal 2018); without mu the step halves in the first pass.
    With decay = 0 it ends in a ball around the solution that grows with the step. A
    gradient of size tol takes 1 / tol^2 steps. Fails where step_size is far above 1/L.
    """

    absorbing: ClassVar[bool] = True

    step_size: Any = real()
    decay: Any = real(0.0, low="nonnegative")
    batch: int = count(32, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        L = upper(facts, "L")
        if L is None:
            return Refusal(
                "L", "sgd needs L: declare L=..., pass step_size=..., or use adadagrad"
            )
        batch = min(32, max(1, problem.n // 8))
        decay = batch / problem.n if facts.mu is None else facts.mu / (2 * L)
        return cls(1 / L, decay, batch)

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        order, none = batches.shuffled(problem.n, key), jnp.zeros((), jnp.int32)
        return batches.Drawn(start.x, order, none)

    def step(self, problem, state, key):
        g, order = self.gradient(problem, state.x, state.order, key)
        dtype = tree.dtype(state.x)
        step_size = jnp.asarray(self.step_size, dtype)
        slower = 1 + jnp.asarray(self.decay, dtype) * state.t.astype(dtype)
        x = tree.axpy(-step_size / slower, g, state.x)
        return batches.Drawn(x, batches.spent(order, self.batch), state.t + 1)
