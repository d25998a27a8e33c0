"""SGD with the stochastic Polyak step, bounded (SPS_max)."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, upper
from banach.core.method import Method
from banach.methods.stochastic import _batch_values as values
from banach.methods.stochastic import _variance_reduction as reduced


class PolyakStepState(eqx.Module):
    """Iterate, and the step count."""

    x: PyTree
    t: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad", "sample"},
    assumes={"smooth"},
    paper="loizou2021stochastic",
    random=True,
)
class PolyakStep(Method):
    """Steps as long as the value of a batch above its least value allows.

    x+ = x - gamma grad f_B(x),  |B| = batch, drawn independently
    gamma = min((f_B(x) - f_min) / (c ||grad f_B(x)||^2), gamma_b)

    gamma_b is `max_learning_rate`; f_min is a number that no f_i falls below, such as
    0 of losses (the least value of f_B itself in the paper; its proofs hold for a lower
    bound, with sigma^2 = E f_B(x*) - f_min). For mu-strongly convex terms and c >= 1/2,
    E ||x_k - x*||^2 <= (1 - mu a)^k ||x_0 - x*||^2 + 2 gamma_b sigma^2 / (mu a),
    a = min(1 / (2 c L_max), gamma_b). Where one x minimises all terms, sigma is 0,
    gamma_b may be infinite, and no constant has to be known.

    The default gamma_b is 1 / L, or 1 where nobody knows L, as optax has it. Terms are
    taken as a check sees them. Fails where terms disagree at the solution: it ends in a
    ball of the size of gamma_b sigma^2, and with an infinite gamma_b nowhere.
    """

    absorbing: ClassVar[bool] = True

    c: Any = real(0.5)
    max_learning_rate: Any = real(infinite=True)
    f_min: Any = real(0.0, low=None)
    batch: int = count(1, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        L = upper(facts, "L")
        most = 1.0 if L is None else 1 / L
        return cls(max_learning_rate=most, batch=reduced.batch_of(problem))

    def init(self, problem, start, key):
        return PolyakStepState(start.x, jnp.zeros((), jnp.int32))

    def step(self, problem, state, key):
        f, g = values.value_and_grad(problem, state.x, self.batch, key)
        c, most, least = (
            jnp.asarray(v, f.dtype)
            for v in (self.c, self.max_learning_rate, self.f_min)
        )
        step_size = values.polyak(f - least, c * tree.vdot(g, g), most)
        return PolyakStepState(tree.axpy(-step_size, g, state.x), state.t + 1)

    @property
    def typical(self):
        return {"stochastic_grad": self.batch, "sample": self.batch}

    def calls(self, state):
        drawn = state.t * self.batch
        return {"stochastic_grad": drawn, "sample": drawn}
