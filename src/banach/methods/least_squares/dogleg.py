"""Powell's dogleg for least squares."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.parts import least_squares as ls

QUIET = 30  # steps in a row that rounding hides


class DoglegState(eqx.Module):
    """Iterate, residual, the model of it, scales and region."""

    x: PyTree
    r: Float[Array, " n"]
    model: ls.LinearModel
    scales: Float[Array, " p"]
    radius: Float[Array, ""]
    stale: Bool[Array, ""]
    quiet: Int[Array, ""]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="powell1970hybrid",
)
class Dogleg(Method):
    """Linearise r, and walk inside an ellipsoid towards the gradient, then to Newton.

    p = the point of the path 0 -> p_sd -> p_gn at ||D p|| = radius

    p_sd is the least of ||r + J p|| along the steepest descent, p_gn its least at all;
    p_gn itself where that is inside. One QR factorisation a Jacobian, none after a step
    that was refused, where levenberg_marquardt solves a problem for each. D holds the
    largest norm that each column of J has had, so that units change nothing.

    The radius follows the ratio of the fall of ||r||^2 to that of the model: above
    0.75 it becomes at least 3 ||D p||, below 0.25 it is halved (Madsen, Nielsen and
    Tingleff). The first is `factor` ||D x0||, or `factor` ||r|| where x0 is 0. A fall
    that is below its rounding counts as the model's.

    Fails to be affordable for many parameters: J is dense, and a step costs n p^2.
    Slower than levenberg_marquardt where J is close to losing rank.
    """

    factor: Any = real(1.0)

    def init(self, problem, start, key):
        r = tree.ravel(problem.residual(start.x))[0]
        x = tree.ravel(start.x)[0]
        zero = jnp.zeros((), jnp.int32)
        return DoglegState(
            x=start.x,
            r=r,
            model=ls.no_model(r, x),
            scales=jnp.zeros_like(x),
            radius=jnp.zeros((), r.dtype),
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
        widest = ls.first_radius(self.factor, D * x, f)
        radius = jnp.where(state.jacobians == 0, widest, state.radius)
        z = bent(model, radius)
        trial = x + z / D
        r = tree.ravel(problem.residual(back(trial)))[0]
        size, after = tree.norm(z), tree.norm(r)

        # Both relative to f^2; that of the model is -(2 q + T z)'T z.
        safe = jnp.where(f > 0, f, 1)
        fall = (1 - after / safe) * (1 + after / safe)
        Tz = ls.along(model, z) / safe
        predicted = -jnp.vdot(2 * model.q / safe + Tz, Tz, precision=tree.PRECISION)
        noise = ls.drowned(safe, tree.norm(ls.along(model, D * x)))
        quiet = (predicted <= noise) & (jnp.abs(fall) <= noise)
        ratio = fall / jnp.where(predicted > 0, predicted, 1)
        ratio = jnp.where(quiet, 1, jnp.where(predicted > 0, ratio, 0))
        ratio = jnp.where(jnp.isfinite(after), ratio, -1)
        accept = ratio > 0
        radius = jnp.where(
            ratio > 0.75,
            jnp.maximum(radius, 3 * size),
            jnp.where(ratio < 0.25, radius / 2, radius),
        )
        count = jnp.where(quiet, state.quiet + 1, 0)
        return DoglegState(
            x=tree.where(accept, back(trial), state.x),
            r=jnp.where(accept, r, state.r),
            model=model,
            scales=scales,
            radius=radius,
            stale=accept,
            quiet=count,
            residuals=state.residuals + 1,
            jacobians=state.jacobians + state.stale,
            stuck=jnp.all(trial == x) | ~(radius > 0) | (count >= QUIET),
        )

    def calls(self, state):
        return {"residual": state.residuals, "jacobian": state.jacobians}


def bent(model, radius):
    """The point of the path 0 -> steepest descent -> Gauss-Newton at the radius."""
    newton, _ = ls.gauss_newton(model)
    g = ls.slope(model)
    steep = tree.norm(g)
    down = g / jnp.where(steep > 0, steep, 1)
    curved = jnp.square(tree.norm(ls.along(model, down)))
    length = steep / jnp.where(curved > 0, curved, 1)
    cauchy = -length * down
    # The a in [0, 1] with ||cauchy + a (newton - cauchy)|| = radius, no cancellation.
    way = newton - cauchy
    along = jnp.vdot(cauchy, way, precision=tree.PRECISION)
    square = jnp.vdot(way, way, precision=tree.PRECISION)
    room = jnp.maximum((radius - length) * (radius + length), 0)
    root = jnp.sqrt(jnp.square(along) + square * room)
    inner = room / jnp.where(along + root > 0, along + root, 1)
    outer = (root - along) / jnp.where(square > 0, square, 1)
    a = jnp.minimum(jnp.where(along > 0, inner, outer), 1)
    path = jnp.where(length >= radius, -radius * down, cauchy + a * way)
    return jnp.where(tree.norm(newton) <= radius, newton, path)
