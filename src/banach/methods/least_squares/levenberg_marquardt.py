"""Levenberg-Marquardt with scaled variables, as in MINPACK."""

from typing import Any, ClassVar

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.least_squares import _region
from banach.methods.least_squares._hebden import hebden
from banach.parts import least_squares as ls


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="more1978levenberg",
)
class LevenbergMarquardt(_region.RegionMethod):
    """Linearise r and trust the linear model inside an ellipsoid.

    p = argmin ||r + J p|| over ||D p|| <= radius,  x+ = x + p if ||r|| fell enough

    D holds the largest norm that each column of J has had, so that the units of the
    parameters change nothing. The damping a of (J'J + a D^2) p = -J'r is found by
    Hebden's iteration to 10 per cent of the radius, by QR. The first radius is `factor`
    ||D x0||, or where x0 is 0 `factor` ||r|| (the paper's: `factor`). A fall of ||r||^2
    below its rounding counts as the predicted one (ours).

    Fails to be affordable for many parameters: J is dense, and a step costs n p^2.
    Linear, or not convergent, where the residual is large and strongly curved: use
    trust_region_newton.
    """

    factor: Any = real(100.0)

    damps: ClassVar[bool] = True

    def step(self, problem, state, key):
        here = _region.at(problem, state, self.factor)
        z, damping = hebden(here.model, here.radius, state.damping)
        trial = _region.tried(problem, here, z)
        size = trial.size
        # As long as no step was taken.
        opening = state.jacobians + state.stale == 1
        radius = jnp.where(opening, jnp.minimum(here.radius, size), here.radius)

        # All relative to ||r||^2: the fall, the fall of the model, half its slope.
        near = trial.after < 10 * here.f
        fall = jnp.where(near, trial.fall, -1)
        linear = jnp.square(tree.norm(ls.along(here.model, z)) / trial.safe)
        pull = damping * jnp.square(size / trial.safe)
        predicted, turn = linear + 2 * pull, -(linear + pull)
        ratio, quiet = _region.agreement(here, trial, fall, predicted)
        ratio, quiet = jnp.where(near, ratio, 0), near & quiet

        part = jnp.where(fall >= 0, 0.5, 0.5 * turn / (turn + 0.5 * fall))
        part = jnp.where(near & (part > 0.1), part, 0.1)
        shorter = part * jnp.minimum(radius, 10 * size)
        poor = ratio <= 0.25
        longer = ~poor & ((damping == 0) | (ratio >= 0.75))
        radius = jnp.where(poor, shorter, jnp.where(longer, 2 * size, radius))
        eased = jnp.where(longer, damping / 2, damping)
        damping = jnp.where(poor, damping / part, eased)
        accept = (ratio >= 1e-4) & jnp.isfinite(trial.after)
        return _region.moved(state, here, trial, accept, quiet, radius, damping)
