"""Schedule-Free SGD and AdamW: an average in place of a schedule."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, word
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="defazio2024road",
    random=True,
)
class ScheduleFree(rules.Rule):
    """Gradients between the iterate and its average, which is what is evaluated.

    y = (1 - b1) z + b1 x,  g = grad f(y),  z+ = z - gam (g' + weight_decay y)
    x+ = (1 - c) x + c z+,  c = gam^2 / sum of all gam^2 so far

    g is of a batch, gam grows from `learning_rate`; g' is g for base="sgd"; for "adamw"
    it is g / (sqrt(v) + eps), v+ = b2 v + (1 - b2) g^2, and gam has the factor sqrt(1 -
    b2^t). gam is the learning rate, less in the first `warmup` steps: times t / warmup.
    No stopping time is known to it.

    The parameters are y: evaluate x, by `bn.train.schedule_free.evaluated(state,
    params)`; statistics of batch normalisation have to be taken anew at x. x is kept
    beside z, so that b1 = 0 (averaged SGD) works and narrow parameters lose nothing:
    one more copy of them than the y and z of the authors' code. Fails with a decaying
    schedule on top: it averages already.
    """

    learning_rate: Any = rules.rate()
    b1: Any = real(0.9, low="nonnegative", most=1.0)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-8, low="nonnegative")
    weight_decay: Any = real(0.0, low="nonnegative")
    warmup: Any = count(1)
    base: str = word("sgd", "adamw", default="adamw")
    batch: int = rules.batch()

    def kept(self, params):
        # Two copies of their own: a caller may donate parameters and state.
        x, z = (jax.tree.map(lambda p: 1 * p, params) for _ in range(2))
        v = rules.zeros(params) if self.base == "adamw" else None
        return {"x": x, "z": z, "v": v, "total": jnp.zeros((), tree.dtype(params))}

    def moved(self, rate, updates, state, params, extra):
        g, y, kept = rules.floats(updates), rules.floats(params), state.kept
        kind = kept["total"].dtype
        t, v = (state.t + 1).astype(kind), kept["v"]
        gam = jnp.asarray(rate, kind)
        gam = gam * jnp.minimum(1, t / jnp.asarray(self.warmup, kind))
        if v is not None:
            v = rules.average(self.b2, v, rules.squares(g))
            g = rules.over_root(g, v, self.eps)
            gam = gam * jnp.sqrt(1 - jnp.asarray(self.b2, kind) ** t)
        total = kept["total"] + gam**2
        # Where nothing has moved yet there is nothing to average.
        c = gam**2 / jnp.where(total > 0, total, 1)
        z = tree.axpy(-gam, tree.axpy(self.weight_decay, y, g), kept["z"])
        x = tree.axpy(c, tree.sub(z, kept["x"]), kept["x"])
        # In this form y is exactly x where z is.
        y = tree.axpy(1 - jnp.asarray(self.b1, kind), tree.sub(z, x), x)
        # Rounded before the difference: p + u is then y in the dtype of p.
        u = jax.tree.map(lambda y, p: y.astype(p.dtype) - p, y, params)
        return u, rules.RuleState(state.t + 1, {"x": x, "z": z, "v": v, "total": total})

    @staticmethod
    def evaluated(state, params):
        """The average x."""
        return jax.tree.map(lambda x, p: x.astype(p.dtype), state.kept["x"], params)
