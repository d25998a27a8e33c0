"""Normalised SGD with momentum: every step is as long as the last."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, flag, real
from banach.methods.stochastic import _variance_reduction as reduced
from banach.parts import batches


class NormalizedSgdState(eqx.Module):
    """Iterate, the one before, m, the order of the terms, and the step count."""

    x: PyTree
    old: PyTree
    m: PyTree
    order: batches.Shuffle
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"smooth"},
    paper="cutkosky2020momentum",
    random=True,
)
class NormalizedSgd(batches.InBatches):
    """Steps of one length along the momentum of batch gradients.

    m_t = beta m_{t-1} + (1 - beta) g_t(y_t),  m_1 = g_1(x_1),  beta = `momentum`
    x_{t+1} = x_t - eta m_t / ||m_t||,  eta = `learning_rate`
    y_t = x_t; with `transport` y_t = x_t + beta / (1 - beta) (x_t - x_{t-1}) (NIGT)

    g_t is the gradient of a batch, terms drawn without replacement, in a fresh order
    every pass. With F L-smooth, noise of variance sigma^2 and a = 1 - beta, the mean of
    E ||F'(x_t)|| over T steps is at most D/(eta T) + eta L (1/2 + 2 beta / a) +
    2 sigma (1/(a T) + sqrt(a)), D = F(x_1) - F*: without momentum sigma stays whatever
    the step, with it T^(-1/4) is reached by batches of any size. Transport keeps the
    mean of past gradients that of a quadratic F: T^(-2/7) where F'' is Lipschitz.

    Fails near a solution, where no step can be shorter than eta: it walks around it.
    """

    absorbing: ClassVar[bool] = True

    # No constant of the problem gives it: the unit of x. Not tuned.
    learning_rate: Any = real(0.01)
    momentum: Any = real(0.9, low="nonnegative", below=1)
    transport: bool = flag(False, static=True)
    batch: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(batch=reduced.batch_of(problem))

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        order, none = batches.shuffled(problem.n, key), jnp.zeros((), jnp.int32)
        x = start.x
        return NormalizedSgdState(x, x, tree.zeros_like(x), order, none)

    def step(self, problem, state, key):
        x, dtype = state.x, tree.dtype(state.x)
        eta, beta = (jnp.asarray(v, dtype) for v in (self.learning_rate, self.momentum))
        y = x
        if self.transport:
            y = tree.axpy(beta / (1 - beta), tree.sub(x, state.old), x)
        g, order = self.gradient(problem, y, state.order, key)
        m = jax.tree.map(lambda m, g: beta * m + (1 - beta) * g, state.m, g)
        m = tree.where(state.t == 0, g, m)
        size = tree.norm(m)
        # Where m is 0, so is the step.
        step_size = eta / jnp.where(size > 0, size, 1)
        order = batches.spent(order, self.batch)
        return NormalizedSgdState(tree.axpy(-step_size, m, x), x, m, order, state.t + 1)
