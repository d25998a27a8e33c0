"""AMSGrad: Adam whose steps never grow, and AdamNC."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import flag, real
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="reddi2018convergence",
    random=True,
)
class Amsgrad(rules.Rule):
    """Adam that divides by the largest second moment seen, so that steps only shrink.

    m = b1_t m + (1 - b1_t) g,  v = b2_t v + (1 - b2_t) g^2,  vh = max(vh, v)
    x+ = x - learning_rate m / (sqrt(vh) + eps),  b1_t = b1 lam^(t-1)

    g is of a batch, b2_t = b2. No bias is corrected, as in the paper. `nc` is AdamNC:
    b2_t = 1 - 1/t, and no maximum. `decreasing` divides the step by sqrt(t), under
    which the regret on convex losses is O(sqrt(T)); it may grow with dimension. eps is
    not the paper's.

    Fails where one rare gradient is huge: vh never forgets it. Differs from optax's
    amsgrad, which corrects biases.
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-8, low="nonnegative")
    lam: Any = real(1.0, most=1.0)
    nc: bool = flag(False, static=True)
    decreasing: bool = flag(False, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        zero = rules.zeros(params)
        return zero, zero, zero

    def direction(self, g, kept, params, t):
        m, v, most = kept
        b1 = self.b1 * jnp.asarray(self.lam, t.dtype) ** (t - 1)
        b2 = 1 - 1 / t if self.nc else self.b2
        m = rules.average(b1, m, g)
        v = rules.average(b2, v, rules.squares(g))
        most = v if self.nc else jax.tree.map(jnp.maximum, most, v)
        d = rules.over_root(m, most, self.eps)
        if self.decreasing:
            d = jax.tree.map(lambda d: d / jnp.sqrt(t).astype(d.dtype), d)
        return d, (m, v, most)
