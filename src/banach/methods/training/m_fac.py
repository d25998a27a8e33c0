"""M-FAC: steps of the inverse empirical Fisher matrix of the last gradients."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="frantar2021mfac",
    random=True,
)
class MFac(rules.Rule):
    """Preconditions by the last `window` gradients, this one among them.

    F = damping I + G'G / m,  rows of G: the last m batch gradients, 0 before there are
    v = momentum v + (1 - momentum) F^-1 g;  x+ = x - learning_rate v

    As g is row i of G, F^-1 g = m G' (damping m I + G G')^-1 e_i, in which nothing
    cancels. G G' is kept and one row of it made anew: O(d m + m^3) a step.
    `banach.parts.inverse_fisher` has F^-1 x of any x, and the diagonal by which
    weights are pruned.

    damping is not the authors': where gradients repeat, G G' is singular, and float32
    sees nothing below it. Keeps m times the parameters (theirs m = 1024). Fails
    where gradients of old weights mislead, and where m and damping are small against
    the noise of a batch: a step along g is then m g / ||g||^2, whatever its size.
    """

    learning_rate: Any = rules.rate()
    damping: Any = real(1e-3)
    momentum: Any = rules.decay_rate(0.9)
    window: int = count(64, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        m = self.window
        G = jax.tree.map(lambda v: jnp.zeros((m, *v.shape), v.dtype), params)
        return rules.zeros(params), G, jnp.zeros((m, m), tree.dtype(params))

    def direction(self, g, kept, params, t):
        v, G, K = kept
        m = self.window
        i = jnp.mod(t - 1, m).astype(jnp.int32)
        G = jax.tree.map(lambda rows, g: rows.at[i].set(g), G, g)

        def inner(rows, g):
            flat = rows.reshape(m, -1)
            return jnp.matmul(flat, g.reshape(-1), precision=tree.PRECISION)

        row = sum(jax.tree.leaves(jax.tree.map(inner, G, g))).astype(K.dtype)
        K = K.at[i].set(row).at[:, i].set(row)
        damping = jnp.asarray(self.damping, K.dtype)
        e = jnp.zeros(m, K.dtype).at[i].set(m)
        c = jnp.linalg.solve(K + m * damping * jnp.eye(m, dtype=K.dtype), e)

        def combined(rows):
            return jnp.tensordot(
                c.astype(rows.dtype), rows, 1, precision=tree.PRECISION
            )

        v = rules.average(self.momentum, v, jax.tree.map(combined, G))
        return v, (v, G, K)
