"""Powell's dogleg for least squares."""

from typing import Any

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.least_squares import _region
from banach.parts import least_squares as ls
from banach.parts.dogleg import bent, descent


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="powell1970hybrid",
)
class Dogleg(_region.RegionMethod):
    """Linearise r, and walk inside an ellipsoid towards the gradient, then to Newton.

    p = the point of the path 0 -> p_sd -> p_gn at ||D p|| = radius

    p_sd is the least of ||r + J p|| along the steepest descent, p_gn its least at all.
    One QR factorisation a Jacobian, none after a step that was refused. D holds the
    largest norm that each column of J has had, so that units change nothing. The radius
    becomes at least 3 ||D p|| where ||r||^2 fell by 0.75 of what the model said, half
    below 0.25 (Madsen, Nielsen and Tingleff); its first is `factor` ||D x0||, or ||r||.

    Fails to be affordable for many parameters: J is dense, and a step costs n p^2.
    Slower than levenberg_marquardt where J is close to losing rank.
    """

    factor: Any = real(1.0)

    def step(self, problem, state, key):
        here = _region.at(problem, state, self.factor)
        model, radius = here.model, here.radius
        newton, _ = ls.gauss_newton(model)
        up, length = descent(ls.slope(model), lambda v: ls.along(model, v))
        z = bent(newton, up, length, radius)
        trial = _region.tried(problem, here, z)
        # The model's fall is -(2 q + T z)'T z, relative to ||r||^2 as that of r is.
        Tz = ls.along(model, z) / trial.safe
        steeper = 2 * model.q / trial.safe + Tz
        predicted = -jnp.vdot(steeper, Tz, precision=tree.PRECISION)
        ratio, quiet = _region.agreement(here, trial, trial.fall, predicted)
        ratio = jnp.where(jnp.isfinite(trial.after), ratio, -1)
        accept = ratio > 0
        radius = jnp.where(
            ratio > 0.75,
            jnp.maximum(radius, 3 * trial.size),
            jnp.where(ratio < 0.25, radius / 2, radius),
        )
        return _region.moved(state, here, trial, accept, quiet, radius)
