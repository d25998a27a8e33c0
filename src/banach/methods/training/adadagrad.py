"""AdaGrad whose batches grow when the variance of the gradient asks for it."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, flag, real, word
from banach.core.method import Method
from banach.parts import batches
from banach.parts.batch_size import AdadagradScale, adadagrad_transform


class AdadagradState(eqx.Module):
    """Iterate, scale and batch size, order of the terms, calls; `stuck`."""

    x: PyTree
    inner: AdadagradScale
    order: batches.Shuffle
    calls: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="lau2024adadagrad",
    random=True,
)
class Adadagrad(Method):
    """AdaGrad steps on batches that grow until the gradient stands out of its noise.

    x_j+ = x_j - a g_j / sqrt(v_j),  v_j+ = v_j + g_j^2;  AdaGrad-Norm: v+ = v + ||g||^2
    V / b > eta^2 ||g||^2:  b+ = ceil(V / (eta^2 ||g||^2)), at most `most`

    g and V are the mean and the unbiased total variance of the b term gradients of a
    batch, drawn without replacement. test="coordinate" asks the same of every
    coordinate. With most = n the last batches are the whole sum and the method is
    AdaGrad. Written from the algorithms and the authors' norm test; the proofs were
    not read.

    Fails where learning_rate is far from the size of the answer: steps shrink like
    1 / sqrt(t) whatever happens. test="coordinate" soon asks for everything, since
    some coordinate of a gradient is nearly 0.
    """

    absorbing: ClassVar[bool] = True

    # No constant of the problem gives it: the unit of a coordinate. Not tuned.
    learning_rate: Any = real(0.1)
    most: int = count(static=True)
    eta: Any = real(0.5)
    initial: Any = real(0.01)
    batch: int = count(16, static=True)
    chunk: int = count(32, static=True)
    test: str = word("norm", "coordinate", default="norm")
    coordinatewise: bool = flag(True, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        batch = max(2, min(16, problem.n // 8))
        batches.fits(batch, problem.n)
        return cls(most=problem.n, batch=batch, chunk=min(32, problem.n))

    def init(self, problem, start, key):
        batches.fits(self.most, problem.n)
        order = batches.shuffled(problem.n, key)
        inner = self._transform().init(start.x)
        return AdadagradState(start.x, inner, order, jnp.int32(0), jnp.asarray(False))

    def step(self, problem, state, key):
        draw, noise = jax.random.split(key)
        b = state.inner.batch
        order = batches.ready_for(state.order, b, draw)
        seen = batches.accumulated(
            problem.gradient_moments, state.x, order, b, self.chunk, noise
        )
        u, inner = self._transform().update(seen.mean, state.inner, moments=seen)
        x = tree.add(state.x, u)
        stuck = (tree.max_abs(tree.sub(x, state.x)) == 0) & (b == self.most)
        return AdadagradState(x, inner, batches.spent(order, b), state.calls + b, stuck)

    @property
    def typical(self):
        return {"stochastic_grad": max(self.batch, self.most // 8)}

    def calls(self, state):
        return {"stochastic_grad": state.calls}

    def _transform(self):
        return adadagrad_transform(
            self.learning_rate, batch=self.batch, most=self.most, eta=self.eta,
            test=self.test, coordinatewise=self.coordinatewise, initial=self.initial,
        )  # fmt: skip
