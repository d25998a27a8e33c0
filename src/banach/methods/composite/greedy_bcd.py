"""Greedy block coordinate descent, with Newton steps on the block."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, word
from banach.core.method import Method, Refusal


class GreedyBcdState(eqx.Module):
    """Iterate with f, how often the bound was too low, whether it cannot move."""

    x: PyTree
    f: Float[Array, ""]
    scale: Float[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "hess", "prox"},
    assumes={"smooth"},
    paper="nutini2022bcd",
    cost={"value": 2, "grad": 1, "hess": 1, "prox": 3},
    init_cost={"value": 1},
)
class GreedyBcd(Method):
    """Move the `block` unknowns that promise most, of all blocks of this size.

    r = x - prox(x - g / L, 1 / L),  b = those of the largest |r_i| L_i^p,  L = diag H

    p = 1 is the rule "gs" (largest gradient), 1/2 is "gsl" (largest progress if H were
    diagonal). The block moves to the better of two points, if one lowers F = f + term:

    prox(y - s / L, 1 / L)_b with y_b = x_b - [I - D + D H_bb / L_b]^{-1} r_b

    prox(x - g / (c l), 1 / (c l))_b

    with D the derivatives of the prox, s = g - L r, l the largest row sum of |H_bb|,
    and c doubled where the second point raises F. The first is Newton's step on the
    unknowns at which the term is smooth, and puts the others where the prox does: once
    the active set is identified, and fits in a block, convergence is superlinear. By
    convexity F grows by no more than f does plus <v, x+ - x>, v the subgradient that
    the prox gives at x+; this bound is what is compared.

    Reconstructed: Newton's step for any separable term (the paper has it for l1 and
    bounds, as two-metric projection), and the bounds L and l, taken from the Hessian
    at x. Left out: fixed blocks, and trees solved exactly by message passing.

    Fails where the term is not separable: it is refused. Before the active set is
    identified many Newton steps may be turned down, and the others are short. A step
    costs a whole gradient and Hessian.
    """

    block: int = count(10, static=True)
    rule: str = word("gsl", "gs", default="gsl")

    @classmethod
    def suggest(cls, problem, facts, **given):
        term = getattr(problem, "term", None)
        if not getattr(term, "separable", False):
            return Refusal("a separable term", "use proximal_gradient")
        return cls(**given)

    def init(self, problem, start, key):
        one = jnp.ones((), tree.dtype(start.x))
        f = problem.value(start.x).astype(one.dtype)
        return GreedyBcdState(start.x, f, one, one < 0)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        g, H = tree.ravel(problem.grad(state.x))[0], problem.hess(state.x)

        def prox(v, t):
            return tree.ravel(problem.prox(back(v), back(t)))[0]

        def put(v, t):
            """The prox on the block, f there, and the bound of what F grows by."""
            new = x.at[b].set(prox(v, t)[b])
            f = problem.value(back(new)).astype(x.dtype)
            rise = f - state.f + jnp.vdot((v - new) / t, new - x)
            return new, f, jnp.where(jnp.isfinite(rise), rise, jnp.inf)

        L = jnp.diagonal(H)
        L = jnp.where(L > 0, L, jnp.maximum(jnp.max(jnp.abs(L)), 1))
        p, D = jax.jvp(partial(prox, t=1 / L), (x - g / L,), (jnp.ones_like(x),))
        r = x - p
        score = jnp.abs(r) * (L if self.rule == "gs" else jnp.sqrt(L))
        b = jax.lax.top_k(score, min(self.block, x.size))[1]
        B = H[jnp.ix_(b, b)]
        M = jnp.diag(1 - D[b]) + (D[b] / L[b])[:, None] * B
        y = x.at[b].add(-jnp.linalg.solve(M, r[b]))
        newton = put(y - g / L + r, 1 / L)
        bound = state.scale * jnp.max(jnp.sum(jnp.abs(B), axis=1))
        bound = jnp.where(bound > 0, bound, state.scale)
        short = put(x - g / bound, jnp.ones_like(x) / bound)
        new, f, rise = tree.where(newton[2] <= short[2], newton, short)
        new, f = tree.where(rise <= 0, (new, f), (x, state.f))
        halved = jnp.maximum(state.scale / 2, 1)
        scale = jnp.where(short[2] <= 0, halved, 2 * state.scale)
        return GreedyBcdState(back(new), f, scale, jnp.max(score) == 0)
