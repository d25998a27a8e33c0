"""NAG-GS: accelerated flow, discretised by a Gauss-Seidel sweep."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import flag, real
from banach.parts import rules


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    paper="leplat2022naggs",
    random=True,
)
class NagGs(rules.Rule):
    """x follows v, and v follows the gradient at the new x: semi-implicit in time.

    x+ = x + a (v - x), a = alpha / (1 + alpha),  gamma+ = gamma + a (mu - gamma)
    v+ = v + (alpha mu (x+ - v) - alpha g(x+)) / (gamma+ + alpha mu)

    alpha is `learning_rate`, g of a batch. The parameters are the x at which the next
    gradient is taken: a call ends one sweep and begins the next; v starts there too.
    `fixed` keeps gamma (the authors' NAG4). On quadratics with gamma = mu the best
    alpha is `best_step(mu, L)`; every mode then shrinks as 1 / (1 + alpha).

    The defaults are of the authors' code. mu need not be the curvature of the sum;
    without knowing it, tune mu and gamma with
    alpha. Fails where alpha is too large for L: beyond about 2 sqrt(mu / L).
    """

    learning_rate: Any = rules.rate(0.05)
    mu: Any = real(1.0)
    gamma: Any = real(1.5)
    fixed: bool = flag(False, static=True)
    batch: int = rules.batch()

    def kept(self, params):
        gamma = jnp.asarray(self.gamma, tree.dtype(params))
        # A copy of its own: a caller may donate parameters and state.
        return jax.tree.map(lambda p: 1 * p, params), gamma

    def moved(self, rate, updates, state, params, extra):
        g, x, (v, gamma) = rules.floats(updates), rules.floats(params), state.kept
        alpha, mu = (jnp.asarray(c, gamma.dtype) for c in (rate, self.mu))
        a = alpha / (1 + alpha)
        if not self.fixed:
            gamma = gamma + a * (mu - gamma)
        pull = tree.axpy(alpha * mu, tree.sub(x, v), tree.scale(-alpha, g))
        v = tree.axpy(1 / (gamma + alpha * mu), pull, v)
        u = jax.tree.map(
            lambda v, x, p: (a.astype(x.dtype) * (v - x)).astype(p.dtype), v, x, params
        )
        return u, rules.RuleState(state.t + 1, (v, gamma))


def best_step(mu: float, L: float) -> float:
    """The alpha of least spectral radius on quadratics, for gamma = mu."""
    return 2 * (mu + math.sqrt(mu * L)) / (L - mu)
