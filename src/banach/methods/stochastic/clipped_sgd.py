"""SGD whose gradients are clipped: one that is far too long moves little."""

from typing import Any, ClassVar

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, upper
from banach.core.method import Refusal
from banach.methods.stochastic import _variance_reduction as reduced
from banach.parts import batches


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"smooth"},
    paper="sadiev2023high",
    random=True,
)
class ClippedSgd(batches.InBatches):
    """Steps along the gradient of a batch, cut to a length that may shrink.

    x+ = x - gamma clip(g_B(x), lambda_k),  clip(g, l) = min(1, l / ||g||) g
    lambda_k = max_norm exp(-decay k),  gamma = step_size

    Noise needs a bounded moment of order alpha in (1, 2] alone. For convex F and K
    steps, max_norm = R / (40 gamma A), A = log(4 (K + 1) / beta), R >= ||x_0 - x*||,
    decay = 0 and gamma small enough keep F - F* at the mean of the points below
    R^2 / (gamma (K + 1)) with probability 1 - beta, whose logarithm alone counts. For
    mu-strongly convex F, decay = gamma mu / 2 and max_norm = exp(-gamma mu) R /
    (120 gamma A) have ||x_k - x*||^2 fall like exp(-gamma mu k). Constants of both are
    told from memory.

    The defaults are gamma = 1 / L, and a max_norm of 1 that is not tuned. Fails where
    max_norm is below the gradients of F itself: every step is as long as the last.
    """

    absorbing: ClassVar[bool] = True

    step_size: Any = real()
    max_norm: Any = real(1.0)
    decay: Any = real(0.0, low="nonnegative")
    batch: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        L = upper(facts, "L")
        if L is None:
            cure = "declare L=..., pass step_size=..., or use adadagrad"
            return Refusal("L", f"clipped_sgd needs L: {cure}")
        return cls(1 / L, batch=reduced.batch_of(problem))

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        order, none = batches.shuffled(problem.n, key), jnp.zeros((), jnp.int32)
        return batches.Drawn(start.x, order, none)

    def step(self, problem, state, key):
        g, order = self.gradient(problem, state.x, state.order, key)
        size = tree.norm(g)
        step_size, most, decay = (
            jnp.asarray(v, size.dtype)
            for v in (self.step_size, self.max_norm, self.decay)
        )
        most = most * jnp.exp(-decay * state.t.astype(size.dtype))
        # Above 0, where it divides: where the gradient is 0 nothing is cut.
        kept = jnp.where(size > most, most / jnp.where(size > 0, size, 1), 1)
        x = tree.axpy(-step_size * kept, g, state.x)
        return batches.Drawn(x, batches.spent(order, self.batch), state.t + 1)
