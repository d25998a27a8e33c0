"""Frank-Wolfe with away steps: towards the best vertex, or away from the worst."""

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.methods.composite import _vertices


@method(
    problem="Composite",
    needs={"value", "grad", "lmo"},
    assumes={"smooth"},
    paper="lacostejulien2015global",
)
class AwayStepFrankWolfe(_vertices.VertexMethod):
    """Move towards the best vertex or away from the worst in use, as f falls faster.

    s = argmin_v <g, v>,  a = argmax_{v: w_v > 0} <g, v>

    d = s - x, t <= 1, if <g, x - s> >= <g, a - x>, else d = x - a, t <= w_a / (1 - w_a)

    x+ = x + t d,  t = -<g, d> / (L ||d||^2) where that is less

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
        w, here = state.weights, jnp.arange(slopes.size)
        mean = jnp.vdot(w, slopes, precision=tree.PRECISION)
        towards, apart = mean - slopes[to], slopes[away] - mean
        go = towards >= apart
        d = jnp.where(go, (here == to) - w, w - (here == away))
        left = 1 - w[away]
        most = jnp.where(go, 1, w[away] / jnp.where(left > 0, left, 1))
        gap, away = jnp.where(go, towards, apart), jnp.where(go, -1, away)
        return _vertices.moved(problem, state, d, gap, most, away)
