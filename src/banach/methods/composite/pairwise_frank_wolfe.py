"""Pairwise Frank-Wolfe: weight goes from the worst vertex to the best."""

import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.methods.composite import _vertices


@method(
    problem="Composite",
    needs={"value", "grad", "lmo"},
    assumes={"smooth"},
    paper="lacostejulien2015global",
)
class PairwiseFrankWolfe(_vertices.VertexMethod):
    """Move weight from the vertex of the largest slope in use to that of the least.

    s = argmin_v <g, v>,  a = argmax_{v: w_v > 0} <g, v>

    x+ = x + t (s - a),  t = min(<g, a - s> / (L ||s - a||^2), w_a)

    with x = sum_v w_v v. Linear for strongly convex f on polytopes, where plain
    Frank-Wolfe is not. A weight is kept for every vertex, which the simplex and the
    l1 ball have few of. L, `lipschitz` at first, by backtracking (Pedregosa et al.
    2020): it begins a step at 0.9 of the last, and doubles until its quadratic model
    bounds f.

    Fails slowly where the condition number is large, or the answer has many nonzeros.
    """

    lipschitz: Real = real()

    def step(self, problem, state, key):
        slopes, to, away = _vertices.ends(problem, state)
        d = jnp.zeros_like(slopes).at[to].add(1).at[away].add(-1)
        gap = slopes[away] - slopes[to]
        return _vertices.moved(problem, state, d, gap, state.weights[away], away)
