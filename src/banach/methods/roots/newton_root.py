"""Newton's method for systems of equations, with a parabolic line search."""

from typing import Any

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.roots import _globalisation as roots

NEWTON_TRIALS, LEVENBERG_TRIALS = 4, 40


@method(problem="Root", needs={"residual", "jacobian"}, paper="kelley2003solving")
class NewtonRoot(roots.RootMethod):
    """Newton steps, shortened until the equations become smaller.

    J d = -F,  x+ = x + t d,  ||F(x+)||^2 <= ||F||^2 + 2 decrease t F'J d

    t is 1, then the minimiser of the parabola through ||F||^2 and its slope at x and
    the trial before, kept within [0.1, 0.5] of that trial. Where J is singular, or four
    trials fail, the step is Levenberg's with the damping ||F|| (Fan and Yuan 2005;
    changing over is ours), unknowns in units of the largest columns of J so far, and
    equations weighted by their terms at the start.

    Quadratic at regular roots. Fails at stationary points of ||F||: it ends there.
    """

    decrease: Any = real(1e-4, below=1)
    typical = {"residual": 1, "jacobian": 1}

    def begun(self, x, F, A, C):
        return A, jnp.asarray(False)

    def step(self, problem, state, key):
        F, stale, size = state.F, state.met, tree.norm(state.F)
        A = roots.renewed(problem, state, stale)
        C = jnp.maximum(state.C, roots.columns(A))
        at, x = roots.residual(problem, state), tree.ravel(state.x)[0]

        def along(d, trials):
            slope = roots.product(F, roots.product(A, d))

            def passes(t, value):
                return tree.norm(value) ** 2 <= size**2 + 2 * self.decrease * t * slope

            def shorter(t, value):
                rise = (tree.norm(value) ** 2 - size**2) / 2 - slope * t
                best = -slope * t**2 / (2 * jnp.where(rise > 0, rise, 1))
                return jnp.clip(jnp.where(rise > 0, best, t), 0.1 * t, 0.5 * t)

            return roots.search(at, x, d, passes, shorter, trials)

        # A singular J gives a step that is not finite: it is not tried.
        newton = jnp.linalg.solve(A, -F)
        usable = tree.all_finite(newton)
        newton = jnp.where(usable, newton, 0)
        first = along(newton, jnp.where(usable, NEWTON_TRIALS, 0))
        damped = roots.levenberg_step(A, F, C, size)
        second = along(damped, jnp.where(first.ok, 0, LEVENBERG_TRIALS))
        d, found = tree.where(first.ok, (newton, first), (damped, second))
        ok, kept = roots.taken(state, d, found)
        spent = state.residuals + first.trials + second.trials, state.jacobians + stale
        return roots.RootState(*kept, A, state.w, C, ok, *spent, ~ok)
