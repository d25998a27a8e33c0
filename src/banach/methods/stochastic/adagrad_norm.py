"""AdaGrad-Norm: one step size, shortened by all gradients so far."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.methods.stochastic import _variance_reduction as reduced
from banach.parts import batches


class AdagradNormState(eqx.Module):
    """Iterate, b^2, the order in which terms are drawn, and the step count."""

    x: PyTree
    square: Float[Array, ""]
    order: batches.Shuffle
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"smooth"},
    paper="ward2019adagrad",
    random=True,
)
class AdagradNorm(batches.InBatches):
    """SGD whose step is divided by the length of all gradients so far.

    b_{j+1}^2 = b_j^2 + ||G_j||^2 from b0^2,  x_{j+1} = x_j - eta / b_{j+1} G_j

    G_j is the gradient of a batch, terms drawn without replacement, in a fresh order
    every pass; eta is `learning_rate`. With whole gradients min ||F'||^2 over N steps
    is at most 2 D (b_0 + 2 D / eta) / (eta N), D = F(x_0) - F*, where b_0 >= eta L;
    where b_0 is smaller it still falls like 1 / N, for convex F or not, and with noise
    like log(N) / sqrt(N): neither L nor the noise has to be known.

    Fails where eta is far from the size of the answer: steps soon are too short, and
    never grow again. A b_0 far below the first gradient makes the first step eta long.
    """

    absorbing: ClassVar[bool] = True

    # No constant of the problem gives it: the unit of the answer. Not tuned.
    learning_rate: Any = real(1.0)
    b0: Any = real(0.1)
    batch: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(batch=reduced.batch_of(problem))

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        order = batches.shuffled(problem.n, key)
        square = jnp.square(jnp.asarray(self.b0, tree.dtype(start.x)))
        return AdagradNormState(start.x, square, order, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        g, order = self.gradient(problem, state.x, state.order, key)
        square = state.square + tree.vdot(g, g)
        eta = jnp.asarray(self.learning_rate, square.dtype)
        x = tree.axpy(-eta / jnp.sqrt(square), g, state.x)
        return AdagradNormState(
            x, square, batches.spent(order, self.batch), state.t + 1
        )
