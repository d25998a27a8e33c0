"""Muon from a better start: four Newton-Schulz steps in place of five."""

from typing import Any

import jax
import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import flag, real
from banach.parts import rules
from banach.parts.orthogonalisation import TURBO, by_shape, newton_schulz


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="boissin2025turbo",
    random=True,
)
class TurboMuon(rules.Rule):
    """Orthogonalised momentum, by four quintic steps from an almost orthogonal start.

    m = momentum m + g of a batch;  X = momentum m + g if nesterov, else m
    X = diag(s) X,  s_i = 1 / sqrt(sum_j |X X'|_ij)
    four times:  X = a X + (b S + c S^2) X,  S = X X'
    W+ = W - learning_rate sqrt(max(1, outputs / inputs)) X

    The rows are those of the shorter side; the first S is the scaled one. a, b, c are
    the last four of Dion's five; matrices of one shape are moved together. W is inputs
    x outputs, as layers of JAX are. Muon's first scaling is by the Frobenius norm, and
    it needs a fifth step.

    `weight_decay` is decoupled. Moves matrices alone. Where rows of m are far from
    orthogonal and differ in size the rescaling turns the singular vectors: X tends to
    the polar factor of diag(s) m, not of m. Fails to settle: steps have one length
    until a schedule shortens them. optax's muon with preconditioning "aol" and these
    coefficients is the same but for the bias corrections of its Nesterov momentum.
    """

    matrices = True

    learning_rate: Any = rules.rate()
    momentum: Any = rules.decay_rate(0.95)
    nesterov: bool = flag(True, static=True)
    weight_decay: Any = real(0.0, low="nonnegative")
    batch: int = rules.batch()

    def kept(self, params):
        return rules.zeros(params)

    def direction(self, g, m, params, t):
        def gathered(m, g):
            return jnp.asarray(self.momentum, g.dtype) * m + g

        m = jax.tree.map(gathered, m, g)
        X, treedef = jax.tree.flatten(
            jax.tree.map(gathered, m, g) if self.nesterov else m
        )

        def moved(stack):
            rows, columns = stack.shape[-2:]
            size = max(1, columns / max(rows, 1)) ** 0.5
            return size * newton_schulz(stack, TURBO, aol=True)

        return jax.tree.unflatten(treedef, by_shape(moved, X)), m
