"""Shampoo in blocks, with inverse roots that are made seldom and by products."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, flag, real, word
from banach.parts import kronecker, rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="anil2020scalable",
    random=True,
)
class ScalableShampoo(rules.Rule):
    """Shampoo on blocks, its roots kept for `every` steps, its lengths another rule's.

    L = b2 L + (1 - b2) G G',  R = b2 R + (1 - b2) G' G  of a batch, by `block`
    P = (L + eps lmax I)^(-1/4),  Q likewise of R, at steps every, 2 every, ...
    U = P G Q;  U = U ||D|| / ||U|| by tensor, D the step of AdaGrad or SGD (`graft`)
    m = b1 m + U;  W+ = W - learning_rate (b1 m + U), or of m without nesterov

    A tensor of k modes has k factors and -1 / 2k; b2 = 1 adds up instead. P and Q
    are I before they are made; `weight_decay` is decoupled. Roots are coupled Newton
    iterations (`banach.parts.kronecker.inverse_root`), lmax is by power iterations.
    What runs beside the accelerator in the paper runs in turn here.

    Fails where gradients turn faster than roots are made anew; in float32 small
    eigenvalues, below eps lmax, are not seen.
    """

    learning_rate: Any = rules.rate()
    b1: Any = rules.decay_rate(0.9)
    b2: Any = real(0.999, low="nonnegative", most=1.0)
    eps: Any = real(1e-6)
    every: Any = count(20)
    block: int = count(128, static=True)
    graft: str = word("adagrad", "sgd", default="adagrad")
    nesterov: bool = flag(True, static=True)
    weight_decay: Any = real(0.0, low="nonnegative")
    batch: int = rules.batch()

    def kept(self, params):
        def none(d, dtype):
            return jnp.zeros((d, d), dtype)

        def every(make):
            return jax.tree.map(
                lambda v: tuple(
                    tuple(make(d, dtype=v.dtype) for d in kronecker.modes(v)[cut].shape)
                    for cut in kronecker.cuts(v, self.block)
                ),
                params,
            )

        zero = rules.zeros(params)
        return zero, zero, every(none), every(jnp.eye)

    def direction(self, g, kept, params, t):
        m, seen, L, P = kept
        b1, b2 = jnp.asarray(self.b1, t.dtype), jnp.asarray(self.b2, t.dtype)
        new = jnp.where(b2 < 1, 1 - b2, 1)

        def gathered(G, L):
            G = kronecker.modes(G)
            return tuple(
                tuple(
                    _mix(b2, h, new, kronecker.statistic(G[cut], i))
                    for i, h in enumerate(H)
                )
                for cut, H in zip(kronecker.cuts(G, self.block), L, strict=True)
            )

        def moved(G, D, P):
            U = out = kronecker.modes(G)
            for cut, roots in zip(kronecker.cuts(U, self.block), P, strict=True):
                block = U[cut]
                for i, root in enumerate(roots):
                    block = kronecker.multiplied(block, root, i)
                out = out.at[cut].set(block)
            size = tree.norm(out)
            return (out * tree.norm(D) / jnp.where(size > 0, size, 1)).reshape(G.shape)

        L = jax.tree.map(gathered, g, L)
        due = t % jnp.asarray(self.every, t.dtype) == 0
        P = jax.lax.cond(due, lambda: kronecker.roots(g, L, self.eps), lambda: P)
        seen = jax.tree.map(jnp.add, seen, rules.squares(g))
        D = rules.over_root(g, seen, 0) if self.graft == "adagrad" else g
        U = jax.tree.map(moved, g, D, P)
        m = jax.tree.map(lambda m, u: _mix(b1, m, 1, u), m, U)
        d = jax.tree.map(lambda m, u: _mix(b1, m, 1, u), m, U) if self.nesterov else m
        return d, (m, seen, L, P)


def _mix(a, x, b, y):
    return jnp.asarray(a, x.dtype) * x + jnp.asarray(b, x.dtype) * y
