"""Blended pairwise Frank-Wolfe: pairs of vertices in use, or steps to a new one."""

import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.methods.composite import _vertices


@method(
    problem="Composite",
    needs={"value", "grad", "lmo"},
    assumes={"smooth"},
    paper="tsuji2022pairwise",
)
class BlendedPairwiseFrankWolfe(_vertices.VertexMethod):
    """Pairwise steps among the vertices in use, else towards the best of all.

    d = s - a,  a = argmax_{v: w_v > 0} <g, v>,  s = argmin_{v: w_v > 0} <g, v>

    where <g, a - s> >= <g, x - z>, else d = z - x,  z = argmin_v <g, v>

    x+ = x + t d,  t = min(-<g, d> / (L ||d||^2), w_a or 1)

    with x = sum_v w_v v. No step swaps a vertex for a new one, so that at least half of
    the steps gain: linear for strongly convex f on polytopes, and iterates are sparse.
    L, `lipschitz` at first, by backtracking (Pedregosa et al. 2020): it begins a step
    at 0.9 of the last, and doubles until its quadratic model bounds f.

    Fails slowly where the condition number is large, or the answer has many nonzeros.
    """

    lipschitz: Real = real()

    def step(self, problem, state, key):
        slopes, to, away = _vertices.ends(problem, state)
        w = state.weights
        best = jnp.argmin(jnp.where(w > 0, slopes, jnp.inf))
        none = jnp.zeros_like(w)
        pair, whole = none.at[best].add(1).at[away].add(-1), none.at[to].add(1) - w
        local, further = slopes[away] - slopes[best], jnp.vdot(slopes, w) - slopes[to]
        inside = local >= further
        return _vertices.moved(
            problem, state, jnp.where(inside, pair, whole),
            jnp.maximum(local, further), jnp.where(inside, w[away], 1),
            jnp.where(inside, away, -1),
        )  # fmt: skip
