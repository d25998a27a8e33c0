"""Levenberg-Marquardt whose linear subproblem keeps the bounds."""

from typing import ClassVar

import jax.numpy as jnp

from banach.core.card import method
from banach.core.hyperparameters import Real, real, word
from banach.methods.least_squares import _box, _nielsen, _region
from banach.parts import least_squares as ls


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian", "project"},
    assumes={"smooth"},
    paper="kanzow2004levenberg",
)
class BoundedLevenbergMarquardt(_region.RegionMethod):
    """Linearise r and stay within the bounds, damped as far as the model is trusted.

    p = argmin ||r + J p||^2 + a ||D p||^2 over lower <= x + p <= upper,  x+ = x + p

    if ||r|| falls. The subproblem is solved to the end, by an active set with QR, so
    that the bounds that hold at the answer are found and the last steps are those of a
    Gauss-Newton method on the other parameters. rule="residual" is the
    paper's: a = ||r||^2, D = I, locally quadratic where r is 0 at the answer.
    rule="gain" (ours, of Nielsen 1999): D holds the largest norm of each column of J
    so far, which makes units irrelevant, and with rho the fall of ||r||^2 over that of
    the model, a begins at `damping`, is multiplied by max(1/3, 1 - (2 rho - 1)^3)
    where rho > 0, and by 2, 4, 8, ... else. The paper's steps along the projected
    gradient, for global convergence, are left out: damping does their work.

    Fails to be affordable for many parameters: J is dense, and each of the few systems
    of a step costs n p^2. Linear convergence where r is large and strongly curved.
    """

    damping: Real = real(1e-3)
    rule: str = word("gain", "residual", default="gain")

    damps: ClassVar[bool] = True

    def step(self, problem, state, key):
        by_gain = self.rule == "gain"
        here = _region.at(problem, state, 1, scaled=by_gain)
        first = state.jacobians == 0
        damping = jnp.where(first, self.damping, state.damping)
        growth = jnp.where(first, 2, state.radius)  # kept where others keep a radius
        used = damping if by_gain else jnp.square(here.f)
        used = jnp.maximum(used, jnp.finfo(here.f.dtype).tiny)
        lower, upper = problem.bounds()
        low, high = (lower - here.x) * here.D, (upper - here.x) * here.D
        z = _box.bounded(here.model, used, low, high)
        # At a bound exactly where z is.
        end = jnp.clip(here.x + z / here.D, lower, upper)
        end = jnp.where(z <= low, lower, jnp.where(z >= high, upper, end))
        trial = _region.ended(problem, here, end, z)
        turned = ls.along(here.model, z) / trial.safe
        pull = jnp.vdot(ls.slope(here.model) / trial.safe, z / trial.safe)
        predicted = -(2 * pull + jnp.vdot(turned, turned))
        ratio, quiet = _region.agreement(here, trial, trial.fall, predicted)
        accept = (ratio > 0) & jnp.isfinite(trial.after)
        taken = _nielsen.eased(damping, ratio)
        damping, growth = _nielsen.after(damping, growth, taken, accept)
        return _region.moved(state, here, trial, accept, quiet, growth, damping)
