"""APOLLO: gradients scaled as Adam would, judged in a random space of low rank."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, flag, real
from banach.parts import low_rank_rules as low
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="zhu2025apollo",
    random=True,
)
class Apollo(rules.Rule):
    """The gradient itself, each column as much longer as Adam makes its sketch.

    R = P G,  Rt = Adam's direction of R,  s_j = ||Rt_j|| / ||R_j||,  D = G diag(s)
    D = D growth ||D-|| / ||D|| where ||D|| is more than growth ||D-||
    x+ = x - learning_rate (scale D + weight_decay x)

    G, of a batch, is m x n, m <= n (else its transpose); b1, b2 and eps are Adam's. P
    is rank x m, normal of variance 1 / rank, drawn anew every `every` steps from `seed`
    and never kept: a matrix costs 2 n rank + 1 numbers. `mini` has one s for all
    columns: with rank 1 and scale sqrt(128) it is APOLLO-Mini. Vectors, and tensors of
    more axes, are left to Adam.

    Reconstructed from the authors' code: Adam's correction of biases multiplies D after
    the limiter. Fails where columns hold entries of very different sizes: they share a
    step.
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-6, low="nonnegative")
    weight_decay: Any = real(0.0, low="nonnegative")
    scale: Any = real(1.0)
    growth: Any = real(1.01)
    rank: int = count(8, static=True)
    every: int = count(200, static=True)
    seed: int = count(0, low=0, static=True)
    mini: bool = flag(False, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        def zero(p):
            if p.ndim != 2:
                return jnp.zeros_like(p), jnp.zeros_like(p)
            R = jnp.zeros((self.rank, max(p.shape)), p.dtype)
            return R, R, jnp.zeros((), p.dtype)

        return tuple(zero(p) for p in jax.tree.leaves(params))

    def direction(self, g, kept, params, t):
        leaves, structure = jax.tree.flatten(g)
        rows = [
            self.leaf(i, g, v, t)
            for i, (g, v) in enumerate(zip(leaves, kept, strict=True))
        ]
        d = jax.tree.unflatten(structure, [row[0] for row in rows])
        return d, tuple(row[1] for row in rows)

    def leaf(self, i, g, kept, t):
        """(direction, what is kept) of array number i."""
        b1, b2, eps, growth, scale = (
            jnp.asarray(c, g.dtype)
            for c in (self.b1, self.b2, self.eps, self.growth, self.scale)
        )
        m, v, *last = kept
        free = low.unbiased(b1, b2, t.astype(g.dtype))
        if not last:
            d, m, v = low.moments(g, m, v, b1, b2, eps)
            return free * d, (m, v)
        G = low.wide(g)
        drawn = (t.astype(jnp.int32) - 1) // self.every
        key = jax.random.fold_in(
            jax.random.fold_in(jax.random.key(self.seed), i), drawn
        )
        R = low.product(low.gaussian(key, self.rank, G.shape[0], g.dtype), G)
        Rt, m, v = low.moments(R, m, v, b1, b2, eps)
        axis = None if self.mini else 0
        D = G * low.ratio(low.norm(Rt, axis), low.norm(R, axis))
        D, size = low.limited(D, last[0], growth)
        D = free * scale * (D if g.shape[0] <= g.shape[1] else D.T)
        return D, (m, v, size)
