"""Levenberg-Marquardt with scaled variables, as in MINPACK."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.methods.least_squares._hebden import hebden
from banach.parts import least_squares as ls

QUIET = 30  # steps in a row that rounding hides


class LevenbergMarquardtState(eqx.Module):
    """Iterate, residual, the model of it, scales, region and damping."""

    x: PyTree
    r: Float[Array, " n"]
    model: ls.LinearModel
    scales: Float[Array, " p"]
    radius: Float[Array, ""]
    damping: Float[Array, ""]
    stale: Bool[Array, ""]
    quiet: Int[Array, ""]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="more1978levenberg",
)
class LevenbergMarquardt(Method):
    """Linearise r and trust the linear model inside an ellipsoid.

    p = argmin ||r + J p|| over ||D p|| <= radius,  x+ = x + p if ||r|| fell enough

    D holds the largest norm that each column of J has had, so that the units of the
    parameters change nothing. The damping a of (J'J + a D^2) p = -J'r is found by
    Hebden's iteration to 10 per cent of the radius, and each linear problem is solved
    by QR. The first radius is `factor` ||D x0||.

    Two departures from the paper. Where the start is 0, the first radius is `factor`
    ||r|| (the paper's is `factor`, whatever the units). A fall of ||r||^2 that is below
    its rounding counts as the predicted one: near a solution differences of sums of
    squares tell nothing, where J'r still does.

    Fails to be affordable for many parameters: J is dense, and a step costs n p^2.
    Linear convergence, or none, where the residual is large and strongly curved: use
    trust_region_newton.
    """

    factor: Any = real(100.0)

    def init(self, problem, start, key):
        r = tree.ravel(problem.residual(start.x))[0]
        x = tree.ravel(start.x)[0]
        zero = jnp.zeros((), jnp.int32)
        nil = jnp.zeros((), r.dtype)
        return LevenbergMarquardtState(
            x=start.x,
            r=r,
            model=ls.no_model(r, x),
            scales=jnp.zeros_like(x),
            radius=nil,
            damping=nil,
            stale=jnp.asarray(True),
            quiet=zero,
            residuals=zero + 1,
            jacobians=zero,
            stuck=jnp.asarray(False),
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        f = tree.norm(state.r)
        model, scales = ls.relinearised(problem, state)
        D = ls.usable(scales)
        first = state.jacobians == 0
        widest = ls.first_radius(self.factor, D * x, f)
        radius = jnp.where(first, widest, state.radius)
        z, damping = hebden(model, radius, state.damping)
        trial = x + z / D
        r = tree.ravel(problem.residual(back(trial)))[0]
        size, after = tree.norm(z), tree.norm(r)
        # As long as no step was taken.
        opening = state.jacobians + state.stale == 1
        radius = jnp.where(opening, jnp.minimum(radius, size), radius)

        # All relative to f^2: the fall, the fall of the model, half its slope.
        safe = jnp.where(f > 0, f, 1)
        near = after < 10 * f
        fall = jnp.where(near, (1 - after / safe) * (1 + after / safe), -1)
        linear = jnp.square(tree.norm(ls.along(model, z)) / safe)
        pull = damping * jnp.square(size / safe)
        predicted, turn = linear + 2 * pull, -(linear + pull)
        noise = ls.drowned(safe, tree.norm(ls.along(model, D * x)))
        quiet = near & (predicted <= noise) & (jnp.abs(fall) <= noise)
        ratio = fall / jnp.where(predicted > 0, predicted, 1)
        ratio = jnp.where(quiet, 1, jnp.where(predicted > 0, ratio, 0))

        part = jnp.where(fall >= 0, 0.5, 0.5 * turn / (turn + 0.5 * fall))
        part = jnp.where(near & (part > 0.1), part, 0.1)
        shorter = part * jnp.minimum(radius, 10 * size)
        poor = ratio <= 0.25
        longer = ~poor & ((damping == 0) | (ratio >= 0.75))
        radius = jnp.where(poor, shorter, jnp.where(longer, 2 * size, radius))
        damping = jnp.where(
            poor, damping / part, jnp.where(longer, damping / 2, damping)
        )
        accept = (ratio >= 1e-4) & jnp.isfinite(after)
        count = jnp.where(quiet, state.quiet + 1, 0)
        return LevenbergMarquardtState(
            x=tree.where(accept, back(trial), state.x),
            r=jnp.where(accept, r, state.r),
            model=model,
            scales=scales,
            radius=radius,
            damping=damping,
            stale=accept,
            quiet=count,
            residuals=state.residuals + 1,
            jacobians=state.jacobians + state.stale,
            stuck=jnp.all(trial == x) | ~(radius > 0) | (count >= QUIET),
        )

    def calls(self, state):
        return {"residual": state.residuals, "jacobian": state.jacobians}
