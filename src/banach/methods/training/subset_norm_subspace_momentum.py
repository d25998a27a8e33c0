"""Step sizes shared by subsets of entries, and momentum inside a subspace alone."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, flag, real, word
from banach.parts import low_rank_rules as low
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="nguyen2025efficient",
    random=True,
)
class SubsetNormSubspaceMomentum(rules.Rule):
    """AdaGrad's or Adam's step size, one for each row or column; momentum of rank r.

    b_S^2 = b2 b_S^2 + (1 - b2) ||g_S||^2  (adagrad: b_S^2 + ||g_S||^2)
    M = b1 M + (1 - b1) U' G,  d = U M + (G - U U' G)
    x+ = x - learning_rate (d / (b_S + eps) + weight_decay x),  G of a batch

    `subsets` of a matrix: "lines" sums along its longer axis, which leaves as many
    numbers as the shorter has; "entries" is coordinatewise; "all" is one number an
    array. Vectors are taken by entries, but for "all". U holds the `rank` leading
    singular vectors of the gradient on the shorter axis, renewed every `every` steps;
    rank 0 is momentum everywhere. What is no matrix has full momentum.

    Reconstructed: M and b are freed of their bias as in Adam (not for adagrad), and
    where U is renewed M is carried over by U+' U, so that it keeps its meaning. Fails
    where entries of one line need very different steps. Learning rates are typically
    ten times Adam's.
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-6, low="nonnegative")
    weight_decay: Any = real(0.0, low="nonnegative")
    rank: int = count(0, low=0, static=True)
    every: int = count(200, static=True)
    subsets: str = word("lines", "entries", "all", default="lines")
    adagrad: bool = flag(False, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        def zero(p):
            square = jnp.zeros_like(self.squared(p))
            if not self.rank or p.ndim != 2:
                return square, jnp.zeros_like(p), None
            short, long = sorted(p.shape)
            r = min(self.rank, short)
            return square, jnp.zeros((r, long), p.dtype), jnp.zeros((short, r), p.dtype)

        return tuple(zero(p) for p in jax.tree.leaves(params))

    def direction(self, g, kept, params, t):
        leaves, structure = jax.tree.flatten(g)
        rows = [
            self.leaf(g, *v, t.astype(g.dtype))
            for g, v in zip(leaves, kept, strict=True)
        ]
        d = jax.tree.unflatten(structure, [row[0] for row in rows])
        return d, tuple(row[1:] for row in rows)

    def squared(self, g):
        """||g_S||^2 of the subsets, in a shape that g can be divided by."""
        if self.subsets == "all":
            return jnp.sum(g**2, keepdims=True)
        if self.subsets == "entries" or g.ndim < 2:
            return g**2
        longer = -1 if g.shape[-1] >= g.shape[-2] else -2
        return jnp.sum(g**2, axis=longer, keepdims=True)

    def leaf(self, g, square, M, U, t):
        """(direction, what is kept) of one array."""
        b1, b2 = (jnp.asarray(b, g.dtype) for b in (self.b1, self.b2))
        new = self.squared(g)
        square = square + new if self.adagrad else b2 * square + (1 - b2) * new
        one, two = (1, 1) if self.adagrad else (1 - b1**t, 1 - b2**t)
        if U is None:
            M = b1 * M + (1 - b1) * g
            d = M / one
        else:
            G = low.wide(g)
            due = (t - 1) % self.every == 0

            def renewed():
                V = jnp.linalg.svd(G, full_matrices=False)[0][:, : U.shape[1]]
                return V, low.product(low.product(V.T, U), M)

            U, M = jax.lax.cond(due, renewed, lambda: (U, M))
            p = low.product(U.T, G)
            M = b1 * M + (1 - b1) * p
            d = G + low.product(U, M / one - p)
            d = d if g.shape[0] <= g.shape[1] else d.T
        return rules.over_root(d, square / two, self.eps), square, M, U
