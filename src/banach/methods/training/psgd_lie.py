"""PSGD: a whitening preconditioner that stays in a Lie group."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real, word
from banach.parts import rules
from banach.parts.lie_preconditioners import LowRank, XShaped


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="pooladzandi2024curvature",
    random=True,
)
class PsgdLie(rules.Rule):
    """Steps by P = Q'Q, where Q is fitted so that P E[g g'] P is the identity.

    m = momentum m + (1 - momentum) g of a batch;  x+ = x - learning_rate P m
    Q: a step of length fit_rate that lessens g'P g + v'P^-1 v,  v ~ N(0, I) drawn anew

    `group` "x" has Q = diag(a) + adiag(b); "low_rank" Q = (I + U V') diag(d) with
    `rank` columns, U and V in turn. The parameters are one vector; `weight_decay` is
    decoupled. Q begins as a multiple of I that fits the first gradient.
    `banach.parts.lie_preconditioners` fits to Hessian-vector products too, where P
    tends to |H|^-1.

    Fails where gradients vanish: P then grows without bound, and what comes next is
    magnified. Bounds that normalise steps of U, V and d are ours; so is taking turns.
    """

    learning_rate: Any = rules.rate()
    fit_rate: Any = real(0.1, below=1.0)
    momentum: Any = rules.decay_rate(0.9)
    group: str = word("x", "low_rank", default="x")
    rank: int = count(10, static=True)
    weight_decay: Any = real(0.0, low="nonnegative")
    batch: int = rules.batch()

    def kept(self, params):
        flat = tree.ravel(params)[0]
        if self.group == "x":
            Q = XShaped(jnp.ones_like(flat), jnp.zeros_like(flat))
        else:
            U, V = _columns(flat.size, self.rank, flat.dtype)
            Q = LowRank(U, V, jnp.ones_like(flat))
        return rules.zeros(params), Q

    def direction(self, g, kept, params, t):
        m, Q = kept
        m = rules.average(self.momentum, m, g)
        h, back = tree.ravel(g)
        at = t.astype(jnp.int32)
        v = jax.random.normal(
            jax.random.fold_in(jax.random.key(0), at), h.shape, h.dtype
        )
        square, rate = jnp.sum(h**2), jnp.asarray(self.fit_rate, h.dtype)
        first = (jnp.sum(v**2) / jnp.where(square > 0, square, 1)) ** 0.25
        first = jnp.where((t > 1) | (square == 0), 1, first).astype(h.dtype)
        if self.group == "x":
            Q = XShaped(first * Q.a, first * Q.b).fitted(v, h, rate)
        else:
            Q = LowRank(Q.U, Q.V, first * Q.d).fitted(v, h, rate, at % 2 == 1)
        return back(Q.apply(tree.ravel(m)[0])), (m, Q)


def _columns(n, rank, dtype):
    """U and V to begin with: small, or neither would ever move."""
    both = jax.random.normal(jax.random.key(1), (2, n, rank), dtype)
    return both / jnp.sqrt(jnp.asarray(max(n, 1) * rank, dtype))
