"""Fira: Adam in a subspace of the gradient, and scaled gradients outside of it."""

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
    paper="chen2024fira",
    random=True,
)
class Fira(rules.Rule):
    """What Adam does to a column inside of the subspace, its rest is scaled by.

    R = P' G,  psi = Adam's direction of R,  s_j = ||psi_j|| / ||R_j||
    S = (G - P R) diag(s), shortened where ||S|| is more than growth ||S-||
    x+ = x - learning_rate (scale (P psi + S) + weight_decay x)

    G, of a batch, is m x n, m <= n (else its transpose); b1, b2, eps are Adam's. P
    holds its `rank` leading left singular vectors, renewed every `every` steps. A
    matrix costs 2 n rank + m rank + 1 numbers. Vectors, and tensors of more axes, are
    left to Adam.

    As in the authors' code, moments stay as they are where P is renewed, and Adam's
    correction of biases multiplies psi and S alike, after the limiter; P's signs, which
    the paper leaves open, make the largest entry of each vector positive. Fails where
    the gradient's leading directions turn faster than they are renewed.
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
    batch: int = rules.batch()

    def kept(self, params):
        def zero(p):
            if p.ndim != 2:
                return jnp.zeros_like(p), jnp.zeros_like(p)
            m, n = sorted(p.shape)
            r = min(self.rank, m)
            R = jnp.zeros((r, n), p.dtype)
            return R, R, jnp.zeros((m, r), p.dtype), jnp.zeros((), p.dtype)

        return tuple(zero(p) for p in jax.tree.leaves(params))

    def direction(self, g, kept, params, t):
        leaves, structure = jax.tree.flatten(g)
        rows = [self.leaf(g, v, t) for g, v in zip(leaves, kept, strict=True)]
        d = jax.tree.unflatten(structure, [row[0] for row in rows])
        return d, tuple(row[1] for row in rows)

    def leaf(self, g, kept, t):
        """(direction, what is kept) of one array."""
        b1, b2, eps, growth, scale = (
            jnp.asarray(c, g.dtype)
            for c in (self.b1, self.b2, self.eps, self.growth, self.scale)
        )
        m, v, *more = kept
        free = low.unbiased(b1, b2, t.astype(g.dtype))
        if not more:
            d, m, v = low.moments(g, m, v, b1, b2, eps)
            return free * d, (m, v)
        G, (P, last) = low.wide(g), more
        due = (t - 1) % self.every == 0
        P = jax.lax.cond(due, lambda: low.leading(G, P.shape[1]), lambda: P)
        R = low.product(P.T, G)
        psi, m, v = low.moments(R, m, v, b1, b2, eps)
        S = (G - low.product(P, R)) * low.ratio(low.norm(psi, 0), low.norm(R, 0))
        S, size = low.limited(S, last, growth)
        D = free * scale * (low.product(P, psi) + S)
        return (D if g.shape[0] <= g.shape[1] else D.T), (m, v, P, size)
