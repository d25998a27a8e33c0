"""Gauss-Newton with a line search."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.methods.least_squares._region import QUIET
from banach.parts import least_squares as ls


class GaussNewtonState(eqx.Module):
    """Iterate and residual; `quiet` counts steps in a row that rounding hides."""

    x: PyTree
    r: Float[Array, " n"]
    quiet: Int[Array, ""]
    steps: Int[Array, ""]
    residuals: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="bjorck1996numerical",
)
class GaussNewton(Method):
    """Linearise r, and go as far towards the minimum of the linear model as it pays.

    p = argmin ||r + J p||,  x+ = x + a p

    with a the largest of 1, 1/2, 1/4, ... at which ||r||^2 falls by `share` a ||J p||^2
    at least, or 1 where rounding hides that (ours). p comes from QR of J with unit
    columns; without full rank it is the shortest in those units. Quadratic where r is 0
    at the solution, else linear with the largest curvature of its surface times ||r||.

    Fails where J loses rank away from a solution: steps are then nearly orthogonal to
    the gradient, and shrink to nothing. Use levenberg_marquardt.
    """

    share: Any = real(0.5, below=1)
    halvings: Any = count(30)

    def init(self, problem, start, key):
        zero = jnp.zeros((), jnp.int32)
        r = tree.ravel(problem.residual(start.x))[0]
        return GaussNewtonState(start.x, r, zero, zero, zero + 1, jnp.asarray(False))

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        J = problem.jacobian(state.x)
        D = ls.usable(ls.column_norms(J))
        model = ls.linear_model(J, state.r, D)
        z, _ = ls.gauss_newton(model)
        f = tree.norm(state.r)
        safe = jnp.where(f > 0, f, 1)
        promised = jnp.square(tree.norm(ls.along(model, z)) / safe)
        noise = ls.drowned(safe, tree.norm(ls.along(model, D * x)))

        def more(loop):
            return ~loop[-1] & (loop[-2] <= self.halvings)

        def turn(loop):
            a, _, _, tried, _ = loop
            trial = x + a * z / D
            r = tree.ravel(problem.residual(back(trial)))[0]
            after = tree.norm(r)
            fall = (1 - after / safe) * (1 + after / safe)
            hidden = (promised <= noise) & (jnp.abs(fall) <= noise)
            good = ((fall >= self.share * a * promised) | hidden) & jnp.isfinite(after)
            return jnp.where(good, a, a / 2), trial, r, tried + 1, good

        zero = jnp.zeros((), jnp.int32)
        first = (jnp.ones((), x.dtype), x, state.r, zero, jnp.asarray(False))
        _, trial, r, tried, good = jax.lax.while_loop(more, turn, first)
        quiet = jnp.where(good & (promised <= noise), state.quiet + 1, 0)
        kept = tree.where(good, (back(trial), r), (state.x, state.r))
        counts = quiet, state.steps + 1, state.residuals + tried
        stuck = ~good | jnp.all(trial == x) | (quiet >= QUIET)
        return GaussNewtonState(*kept, *counts, stuck)

    def calls(self, state):
        return {"residual": state.residuals, "jacobian": state.steps}
