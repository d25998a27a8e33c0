"""Levenberg-Marquardt whose linear subproblem keeps the bounds."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real, word
from banach.core.method import Method
from banach.methods.least_squares import _box, _region
from banach.parts import least_squares as ls

Scalar = Float[Array, ""]


class BoundedState(eqx.Module):
    """Iterate, residual, its model, scales, damping and its next growth, counts."""

    x: PyTree
    r: Float[Array, " n"]
    model: ls.LinearModel
    scales: Float[Array, " p"]
    damping: Scalar
    growth: Scalar
    stale: Bool[Array, ""]
    quiet: Int[Array, ""]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian", "project"},
    assumes={"smooth"},
    paper="kanzow2004levenberg",
)
class BoundedLevenbergMarquardt(Method):
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

    def init(self, problem, start, key):
        r = tree.ravel(problem.residual(start.x))[0]
        x = tree.ravel(start.x)[0]
        zero, one = jnp.zeros((), jnp.int32), jnp.ones((), r.dtype)
        return BoundedState(
            x=start.x,
            r=r,
            model=ls.no_model(r, x),
            scales=jnp.zeros_like(x),
            damping=jnp.asarray(self.damping, r.dtype),
            growth=2 * one,
            stale=jnp.asarray(True),
            quiet=zero,
            residuals=zero + 1,
            jacobians=zero,
            stuck=jnp.asarray(False),
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        f = tree.norm(state.r)
        lower, upper = problem.bounds()
        by_gain = self.rule == "gain"
        model, scales = ls.relinearised(problem, state, scaled=by_gain)
        damping = state.damping if by_gain else jnp.square(f)
        damping = jnp.maximum(damping, jnp.finfo(f.dtype).tiny)
        D = ls.usable(scales)
        low, high = (lower - x) * D, (upper - x) * D
        z = _box.bounded(model, damping, low, high)
        end = jnp.where(z <= low, lower, jnp.where(z >= high, upper, x + z / D))
        end = jnp.clip(end, lower, upper)
        r = tree.ravel(problem.residual(back(end)))[0]
        after, safe = tree.norm(r), jnp.where(f > 0, f, 1)
        fall = (1 - after / safe) * (1 + after / safe)
        turned = ls.along(model, z) / safe
        pull = jnp.vdot(ls.slope(model) / safe, z / safe)
        predicted = -(2 * pull + jnp.vdot(turned, turned))
        here = _region.At(x, back, f, model, scales, D, damping)
        trial = _region.Tried(end, r, tree.norm(z), after, safe, fall)
        ratio, quiet = _region.agreement(here, trial, fall, predicted)
        accept = (ratio > 0) & jnp.isfinite(after)
        eased = jnp.maximum(1 / 3, 1 - (2 * jnp.minimum(ratio, 1) - 1) ** 3)
        count = jnp.where(quiet, state.quiet + 1, 0)
        still = jnp.all(end == x)
        return BoundedState(
            x=tree.where(accept, back(end), state.x),
            r=jnp.where(accept, r, state.r),
            model=model,
            scales=scales,
            damping=state.damping * jnp.where(accept, eased, state.growth),
            growth=jnp.where(accept, 2, 2 * state.growth),
            stale=accept,
            quiet=count,
            residuals=state.residuals + 1,
            jacobians=state.jacobians + state.stale,
            stuck=still | (count >= _region.QUIET),
        )

    def calls(self, state):
        """One residual a step, one Jacobian a step that was taken."""
        return {"residual": state.residuals, "jacobian": state.jacobians}
