"""Adam in a subspace of few rows, which follows the gradients step by step."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import rules
from banach.parts.orthogonalisation import thin_svd


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="liang2024memory",
    random=True,
)
class OnlineSubspaceDescent(rules.Rule):
    """Moments of P' G in place of those of G, and a step of online PCA for P.

    G of a batch: m x n with m <= n, else G';  P: m x rank, the leading left singular
    vectors of the first G;  D = Adam(P' G);  W+ = W - learning_rate P D
    P+ = P - basis_rate Adam(slope at P of
                             ||G - P P' G||^2 / ||G||^2 + penalty ||P'P - I||^2)

    Moments are not moved into the new coordinates when P moves. The state is 2 n rank
    + 3 m rank numbers a matrix, not 2 m n. Arrays of more than two axes are matrices of
    their last; vectors, and matrices whose shorter side is at most `rank`, have Adam.
    b1, b2 and eps are those of every Adam here; `weight_decay` is decoupled.

    basis_rate is that of the authors' code, and the value of penalty ours. Fails where
    gradients have no few directions: what P never meets is not learnt. The first step
    costs a singular value decomposition.
    """

    learning_rate: Any = rules.rate()
    rank: int = count(8, static=True)
    basis_rate: Any = real(5e-3, low="nonnegative")
    penalty: Any = real(0.1, low="nonnegative")
    b1: Any = rules.decay_rate(0.9)
    b2: Any = rules.decay_rate(0.999)
    eps: Any = real(1e-8, low="nonnegative")
    weight_decay: Any = real(0.0, low="nonnegative")
    batch: int = rules.batch()

    def kept(self, params):
        def of(v):
            G = _matrix(v, self.rank)
            if G is None:
                return jnp.zeros_like(v), jnp.zeros_like(v)
            P = jnp.zeros((len(G), self.rank), v.dtype)
            D = jnp.zeros((self.rank, G.shape[1]), v.dtype)
            return D, D, P, P, P

        return jax.tree.map(of, params)

    def direction(self, g, kept, params, t):
        def of(g, kept):
            G = _matrix(g, self.rank)
            if G is None:
                d, m, v = self._adam(g, *kept, t)
                return d, (m, v)
            m, v, P, mP, vP = kept
            P = jax.lax.cond(
                t > 1,
                lambda: P,
                lambda: thin_svd(G)[0][:, : self.rank],
            )
            low = jnp.matmul(P.T, G, precision=tree.PRECISION)
            D, m, v = self._adam(low, m, v, t)
            d = jnp.matmul(P, D, precision=tree.PRECISION)
            slope = jax.grad(self._lost)(P, G)
            # At the first gradient P is optimal, and its slope is rounding.
            new = self._adam(slope, mP, vP, jnp.maximum(t - 1, 1))
            step, mP, vP = tree.where(t > 1, new, (0 * P, mP, vP))
            P = P - jnp.asarray(self.basis_rate, P.dtype) * step
            d = d if _upright(g) else d.T
            return d.reshape(g.shape), (m, v, P, mP, vP)

        leaves, treedef = jax.tree.flatten(g)
        done = list(map(of, leaves, treedef.flatten_up_to(kept)))
        d, kept = ([row[i] for row in done] for i in (0, 1))
        return jax.tree.unflatten(treedef, d), jax.tree.unflatten(treedef, kept)

    def _adam(self, g, m, v, t):
        m = rules.average(self.b1, m, g)
        v = rules.average(self.b2, v, jnp.square(g))
        b1, b2 = (
            jnp.asarray(b, g.dtype) ** t.astype(g.dtype) for b in (self.b1, self.b2)
        )
        return rules.over_root(m / (1 - b1), v / (1 - b2), self.eps), m, v

    def _lost(self, P, G):
        """The share of G outside of P, and how far P is from orthonormal."""
        size = tree.norm(G)
        G = G / jnp.where(size > 0, size, 1)
        low = jnp.matmul(P.T, G, precision=tree.PRECISION)
        away = G - jnp.matmul(P, low, precision=tree.PRECISION)
        turned = jnp.matmul(P.T, P, precision=tree.PRECISION) - jnp.eye(
            P.shape[1], dtype=P.dtype
        )
        penalty = jnp.asarray(self.penalty, P.dtype)
        return jnp.sum(away**2) + penalty * jnp.sum(turned**2)


def _upright(v):
    """Whether the matrix of an array has no more rows than columns."""
    return v.size // v.shape[-1] <= v.shape[-1]


def _matrix(v, rank):
    """The array as a matrix whose rows are the shorter side; None: Adam's."""
    if v.ndim < 2 or v.size == 0:
        return None
    G = v.reshape(-1, v.shape[-1])
    G = G if _upright(v) else G.T
    return G if len(G) > rank else None
