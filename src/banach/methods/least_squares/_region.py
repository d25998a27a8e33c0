"""What methods share that trust a linear model of r within ||D p|| <= radius."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.method import Method
from banach.parts import least_squares as ls

QUIET = 30  # steps in a row that rounding hides
Scalar = Float[Array, ""]


class RegionState(eqx.Module):
    """Iterate, residual, the model of it, scales, region, damping (or None), counts.

    `quiet` counts steps in a row that rounding hides.
    """

    x: PyTree
    r: Float[Array, " n"]
    model: ls.LinearModel
    scales: Float[Array, " p"]
    radius: Scalar
    damping: Scalar | None
    stale: Bool[Array, ""]
    quiet: Int[Array, ""]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


class At(NamedTuple):
    """The point as a vector and back, ||r||, its model, scales and D, radius."""

    x: Float[Array, " p"]
    back: Callable[[Array], PyTree]
    f: Scalar
    model: ls.LinearModel
    scales: Float[Array, " p"]
    D: Float[Array, " p"]
    radius: Scalar


class Tried(NamedTuple):
    """x + D^-1 z and its residual, ||z||, ||r(x + D^-1 z)||, and the fall of ||r||^2.

    The fall is relative to ||r||^2, ||r|| being `safe` where it is not 0.
    """

    x: Float[Array, " p"]
    r: Float[Array, " n"]
    size: Scalar
    after: Scalar
    safe: Scalar
    fall: Scalar


class RegionMethod(Method):
    """A method that walks to where its model is least, as far as that is trusted."""

    damps: ClassVar[bool] = False  # whether a damping is kept from step to step

    def init(self, problem, start, key):
        """One residual; the first Jacobian is the first step's."""
        r = tree.ravel(problem.residual(start.x))[0]
        x = tree.ravel(start.x)[0]
        zero, nil = jnp.zeros((), jnp.int32), jnp.zeros((), r.dtype)
        return RegionState(
            x=start.x,
            r=r,
            model=ls.no_model(r, x),
            scales=jnp.zeros_like(x),
            radius=nil,
            damping=nil if self.damps else None,
            stale=jnp.asarray(True),
            quiet=zero,
            residuals=zero + 1,
            jacobians=zero,
            stuck=jnp.asarray(False),
        )

    def calls(self, state):
        """One residual a step, one Jacobian a step that was taken."""
        return {"residual": state.residuals, "jacobian": state.jacobians}


def at(problem: Any, state: RegionState, factor: Any, scaled: bool = True) -> At:
    """What a step begins with; the first radius is `factor` ||D x0||, D = I at will."""
    x, back = tree.ravel(state.x)
    f = tree.norm(state.r)
    model, scales = ls.relinearised(problem, state, scaled)
    D = ls.usable(scales)
    widest = ls.first_radius(factor, D * x, f)
    radius = jnp.where(state.jacobians == 0, widest, state.radius)
    return At(x, back, f, model, scales, D, radius)


def tried(problem: Any, here: At, z: Float[Array, " p"]) -> Tried:
    """The trial at the end of a step z = D p."""
    return ended(problem, here, here.x + z / here.D, z)


def ended(
    problem: Any, here: At, trial: Float[Array, " p"], z: Float[Array, " p"]
) -> Tried:
    """The trial at a point that z = D p leads to, up to rounding."""
    r = tree.ravel(problem.residual(here.back(trial)))[0]
    size, after = tree.norm(z), tree.norm(r)
    safe = jnp.where(here.f > 0, here.f, 1)
    fall = (1 - after / safe) * (1 + after / safe)
    return Tried(trial, r, size, after, safe, fall)


def agreement(
    here: At, trial: Tried, fall: Scalar, predicted: Scalar
) -> tuple[Scalar, Bool[Array, ""]]:
    """(fall over predicted, whether rounding hides both), 1 where it does.

    Near a solution differences of sums of squares tell nothing, where J'r still does.
    """
    noise = ls.drowned(trial.safe, tree.norm(ls.along(here.model, here.D * here.x)))
    quiet = (predicted <= noise) & (jnp.abs(fall) <= noise)
    ratio = fall / jnp.where(predicted > 0, predicted, 1)
    return jnp.where(quiet, 1, jnp.where(predicted > 0, ratio, 0)), quiet


def moved(
    state: RegionState,
    here: At,
    trial: Tried,
    accept: Bool[Array, ""],
    quiet: Bool[Array, ""],
    radius: Scalar,
    damping: Scalar | None = None,
) -> RegionState:
    """The state after a trial that was accepted or not."""
    count = jnp.where(quiet, state.quiet + 1, 0)
    return RegionState(
        x=tree.where(accept, here.back(trial.x), state.x),
        r=jnp.where(accept, trial.r, state.r),
        model=here.model,
        scales=here.scales,
        radius=radius,
        damping=damping,
        stale=accept,
        quiet=count,
        residuals=state.residuals + 1,
        jacobians=state.jacobians + state.stale,
        stuck=jnp.all(trial.x == here.x) | ~(radius > 0) | (count >= QUIET),
    )
