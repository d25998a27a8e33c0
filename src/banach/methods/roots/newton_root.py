"""Newton's method for systems of equations, with a parabolic line search."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.methods.roots import _globalisation

NEWTON_TRIALS, LEVENBERG_TRIALS = 4, 40


class NewtonRootState(eqx.Module):
    """Iterate, weighted F, J of F, weights of rows and columns, and what was spent."""

    x: PyTree
    F: Float[Array, " n"]
    J: Float[Array, "n n"]
    w: Float[Array, " n"]
    C: Float[Array, " n"]
    stale: Bool[Array, ""]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(problem="Root", needs={"residual", "jacobian"}, paper="kelley2003solving")
class NewtonRoot(Method):
    """Newton steps, shortened until the equations become smaller.

    J d = -F,  x+ = x + t d,  ||F(x+)||^2 <= ||F||^2 + 2 decrease t F'J d

    t is 1, then the minimiser of the parabola through ||F||^2 and its slope at x and
    the trial before, kept within [0.1, 0.5] of that trial. Where J is singular, or
    four trials fail, as they do near a singular J, the step is Levenberg's with the
    damping ||F||, a direction of descent wherever there is one (that damping: Fan
    and Yuan 2005; changing over is ours). Equations are weighted by the sizes of
    their terms at the start, and unknowns in the damping by the largest columns of J
    so far (More's scaling), so that the run does not depend on units.

    Quadratic where J is regular at the root, linear at multiple roots. Fails where
    ||F|| has a stationary point that is no root: it ends there, uncertified.
    """

    decrease: Any = real(1e-4, below=1)

    typical: ClassVar[Mapping[str, float]] = {"residual": 1, "jacobian": 1}

    @classmethod
    def suggest(cls, problem, facts):
        return _globalisation.not_square("newton_root", problem) or cls()

    def init(self, problem, start, key):
        x = tree.ravel(start.x)[0]
        F, J = tree.ravel(problem.residual(start.x))[0], problem.jacobian(start.x)
        w = _globalisation.weights(F, J, x)
        one = jnp.ones((), jnp.int32)
        no = jnp.asarray(False)
        C = _globalisation.columns(w[:, None] * J)
        return NewtonRootState(start.x, w * F, J, w, C, no, one, one, no)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        J = jax.lax.cond(
            state.stale, lambda: problem.jacobian(state.x), lambda: state.J
        )
        A, F = state.w[:, None] * J, state.F
        size = tree.norm(F)
        C = jnp.maximum(state.C, _globalisation.columns(A))

        def weighted(v):
            return state.w * tree.ravel(problem.residual(back(v)))[0]

        def along(d, trials):
            slope = _globalisation.product(F, _globalisation.product(A, d))

            def passes(t, value):
                return tree.norm(value) ** 2 <= size**2 + 2 * self.decrease * t * slope

            def shorter(t, value):
                # The parabola through ||F||^2 / 2 at 0, its slope, and the trial.
                rise = (tree.norm(value) ** 2 - size**2) / 2 - slope * t
                best = -slope * t**2 / (2 * jnp.where(rise > 0, rise, 1))
                best = jnp.where(rise > 0, best, t)
                return jnp.clip(best, 0.1 * t, 0.5 * t)

            return _globalisation.search(weighted, x, d, passes, shorter, trials)

        # A singular J gives a step that is not finite: it is not tried.
        newton = jnp.linalg.solve(A, -F)
        usable = tree.all_finite(newton)
        newton = jnp.where(usable, newton, 0)
        first = along(newton, jnp.where(usable, NEWTON_TRIALS, 0))
        damped = _globalisation.levenberg_step(A, F, C, size)
        second = along(damped, jnp.where(first.ok, 0, LEVENBERG_TRIALS))
        found = _globalisation.Found(
            *(jnp.where(first.ok, a, b) for a, b in zip(first, second, strict=True))
        )
        moved = x + found.length * jnp.where(first.ok, newton, damped)
        ok = found.ok & jnp.any(moved != x)
        return NewtonRootState(
            x=tree.where(ok, back(moved), state.x),
            F=jnp.where(ok, found.F, F),
            J=J,
            w=state.w,
            C=C,
            stale=ok,
            residuals=state.residuals + first.trials + second.trials,
            jacobians=state.jacobians + state.stale,
            stuck=~ok,
        )

    def calls(self, state):
        return {"residual": state.residuals, "jacobian": state.jacobians}
