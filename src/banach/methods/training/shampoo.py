"""Shampoo: a preconditioner for every mode of a tensor."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.parts import kronecker, rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="gupta2018shampoo",
    random=True,
)
class Shampoo(rules.Rule):
    """AdaGrad whose matrix is a Kronecker product of one small matrix a mode.

    Matrix:    L += G G',  R += G' G;  W+ = W - learning_rate L^(-1/4) G R^(-1/4)
    Order k:   H_i += G_(i) G_(i)' from eps I;  G x_1 H_1^(-1/2k) ... x_k H_k^(-1/2k)

    G is the gradient of a batch. So vectors have the whole matrix of AdaGrad, numbers
    AdaGrad itself. A mode longer than `largest` keeps the diagonal of its H alone, as
    in the paper's experiments. `momentum` averages gradients (theirs 0.9; the
    algorithm and its regret have none).

    Costs an eigendecomposition of every H a step: see scalable_shampoo. Fails where
    gradients keep coming at their first size: steps shrink like 1 / sqrt(t).
    """

    # Steps shrink like 1 / sqrt(t): above what other rules begin with. Not tuned.
    learning_rate: Any = rules.rate(0.1)
    eps: Any = real(1e-4)
    momentum: Any = rules.decay_rate(0.0)
    largest: int = count(1024, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        def of(v):
            eps = jnp.asarray(self.eps, v.dtype)
            return tuple(
                eps * (jnp.eye if d <= self.largest else jnp.ones)(d, dtype=v.dtype)
                for d in kronecker.modes(v).shape
            )

        return rules.zeros(params), jax.tree.map(of, params)

    def direction(self, g, kept, params, t):
        m, H = kept
        m = rules.average(self.momentum, m, g)

        def of(g, m, H):
            G, U = kronecker.modes(g), kronecker.modes(m)
            new = []
            for i, h in enumerate(H):
                power = -1 / (2 * G.ndim)
                if h.ndim == 1:
                    h = h + jnp.sum(G**2, axis=[k for k in range(G.ndim) if k != i])
                    root = h**power
                else:
                    h = h + kronecker.statistic(G, i)
                    root = kronecker.root_by_eigenvalues(h, power, self.eps)
                U = kronecker.multiplied(U, root, i)
                new.append(h)
            return U.reshape(g.shape), tuple(new)

        leaves, treedef = jax.tree.flatten(g)
        done = map(of, leaves, jax.tree.leaves(m), treedef.flatten_up_to(H))
        d, H = zip(*done, strict=True) if leaves else ((), ())
        return jax.tree.unflatten(treedef, d), (m, jax.tree.unflatten(treedef, H))
