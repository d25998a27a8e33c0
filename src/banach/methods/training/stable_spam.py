"""Stable-SPAM: Adam on gradients whose spikes and whose norms are tamed."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import low_rank_rules as low
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="huang2025stablespam",
    random=True,
)
class StableSpam(rules.Rule):
    """Spikes are cut to what is usual, norms drawn to their history, moments restarted.

    T = g3 T + (1 - g3) max|g|,   g_i = g_i Th / max|g|  where |g_i| > Th
    p = g1 p + (1 - g1) ||g||,  q = g2 q + (1 - g2) ||g||^2
    g = g / ||g|| ph / (sqrt(qh) + eps),  then Adam, its m and v 0 again every `every`

    g is of a batch, learning_rate, b1, b2 and the decoupled weight_decay are Adam's.
    Th, ph and qh are without bias; each array has its own. Reconstructed: the bias of
    T, p and q is that of all steps so far (the authors' code restarts their count with
    Adam's, and their averages not), and no warm-up follows a restart. Fails where the
    size of gradients is what tells of progress: every norm becomes about 1.
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    g1: Any = rules.decay_rate(0.7)
    g2: Any = rules.decay_rate(0.9)
    g3: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-8, low="nonnegative")
    weight_decay: Any = real(0.0, low="nonnegative")
    every: int = count(1000, low=2, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        sizes = tuple((jnp.zeros((), p.dtype),) * 3 for p in jax.tree.leaves(params))
        return rules.zeros(params), rules.zeros(params), sizes

    def direction(self, g, kept, params, t):
        m, v, sizes = kept
        leaves, structure = jax.tree.flatten(g)
        tamed = [
            self.tamed(g, s, t.astype(g.dtype))
            for g, s in zip(leaves, sizes, strict=True)
        ]
        g = jax.tree.unflatten(structure, [g for g, _ in tamed])
        # Steps since Adam began anew, this one included.
        age = jnp.where(t < self.every, t, t % self.every + 1)
        old = lambda v: jnp.where(age == 1, 0, v)  # noqa: E731
        m = rules.average(self.b1, jax.tree.map(old, m), g)
        v = rules.average(self.b2, jax.tree.map(old, v), rules.squares(g))
        one, two = (1 - jnp.asarray(b, t.dtype) ** age for b in (self.b1, self.b2))
        mh = jax.tree.map(lambda m: m / one.astype(m.dtype), m)
        vh = jax.tree.map(lambda v: v / two.astype(v.dtype), v)
        d = rules.over_root(mh, vh, self.eps)
        return d, (m, v, tuple(s for _, s in tamed))

    def tamed(self, g, sizes, t):
        """(the gradient of one array, its averages)."""
        g1, g2, g3, eps = (
            jnp.asarray(c, g.dtype) for c in (self.g1, self.g2, self.g3, self.eps)
        )
        T, p, q = sizes
        most = jnp.max(jnp.abs(g), initial=0)
        T = g3 * T + (1 - g3) * most
        usual = T / (1 - g3**t)
        g = jnp.where(jnp.abs(g) > usual, low.ratio(g * usual, most), g)
        norm = low.norm(g).reshape(())
        p, q = g1 * p + (1 - g1) * norm, g2 * q + (1 - g2) * norm**2
        root = jnp.where(q > 0, jnp.sqrt(jnp.where(q > 0, q, 1) / (1 - g2**t)), 0)
        size = low.ratio(p / (1 - g1**t), root + eps)
        return low.ratio(g, norm) * size, (T, p, q)
