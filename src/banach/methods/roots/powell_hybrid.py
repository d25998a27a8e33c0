"""Powell's hybrid method, as in MINPACK's hybrj."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.roots import _globalisation as roots
from banach.parts.dogleg import bent, descent

SLOW_STEPS, SLOW_JACOBIANS = 10, 5


class Met(NamedTuple):
    """Radius, successes and failures in a row, whether B is exact, how slow it goes."""

    radius: Float[Array, ""]
    good: Int[Array, ""]
    bad: Int[Array, ""]
    exact: Bool[Array, ""]
    first: Bool[Array, ""]
    slow: Int[Array, " 2"]


@method(problem="Root", needs={"residual", "jacobian"}, paper="powell1970hybrid")
class PowellHybrid(roots.RootMethod):
    """Dogleg steps with a matrix B that Broyden's update keeps, renewed when it fails.

    p: from the minimiser of ||F + B p|| along steepest descent towards -B^-1 F, as
       far as ||C p|| <= radius
    B+ = B + (F(x + p) - F - B p) (C^2 p)' / ||C p||^2

    x + p is taken where ||F||^2 falls by 1e-4 of what the model says. The radius is
    halved below a tenth, and doubled from the step above a half or after two
    successes; two failures in a row renew B. C holds the largest column norms of the
    Jacobians met so far. The rules are those of MINPACK's hybrj (More, Garbow and
    Hillstrom 1980), of which this is a reconstruction without its QR updates; the
    first radius is `factor` ||C x||. Weights of the equations are ours.

    Needs few Jacobians. It gives up as MINPACK does: after ten steps that gain less
    than 1e-3 of ||F||^2, or five Jacobians with less than a tenth. Fails where ||F||
    has a stationary point that is no root.
    """

    factor: Any = real(100.0)

    def begun(self, x, F, A, C):
        far = tree.norm(C * x)
        radius = self.factor * jnp.where(far > 0, far, 1)
        zero, yes = jnp.zeros((), jnp.int32), jnp.asarray(True)
        return A, Met(radius, zero, zero, yes, yes, jnp.zeros(2, jnp.int32))

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        F, met, size = state.F, state.met, tree.norm(state.F)
        renew = met.bad == 2
        B = roots.renewed(problem, state, renew)
        C = jnp.where(renew, jnp.maximum(state.C, roots.columns(B)), state.C)
        bad, good = jnp.where(renew, 0, met.bad), jnp.where(renew, 0, met.good)
        up, least = descent(roots.product(F, B) / C, lambda z: roots.product(B, z / C))
        newton = jnp.linalg.solve(B, -F)
        # Without Newton's step the path ends at the least along steepest descent.
        newton = jnp.where(tree.all_finite(newton), C * newton, -least * up)
        p = bent(newton, up, least, met.radius) / C
        length = tree.norm(C * p)
        radius = jnp.where(met.first, jnp.minimum(met.radius, length), met.radius)

        trial, model = roots.residual(problem, state)(x + p), F + roots.product(B, p)
        known, after = tree.all_finite(trial), tree.norm(trial)
        fell = jnp.where(known & (after < size), 1 - (after / size) ** 2, -1.0)
        promised = 1 - (tree.norm(model) / size) ** 2
        ratio = jnp.where(promised > 0, fell / promised, 0)
        poor, take = ratio < 0.1, ratio >= 1e-4
        good = jnp.where(poor, 0, good + 1)
        more = (ratio >= 0.5) | (good > 1)
        wide = jnp.where(more, jnp.maximum(radius, 2 * length), radius)
        wide = jnp.where(jnp.abs(ratio - 1) <= 0.1, 2 * length, wide)
        # Broyden's update, after a failure too: the model was wrong there.
        change = jnp.where(known, trial - model, 0) / jnp.where(length > 0, length, 1)
        along = C * (C * p) / jnp.where(length > 0, length, 1)

        same, exact = jnp.all(x + p == x) | ~tree.all_finite(p), met.exact | renew
        slow = met.slow + jnp.stack([jnp.asarray(1), exact])
        slow = jnp.where(jnp.stack([fell >= 1e-3, exact & (fell >= 0.1)]), 0, slow)
        idle = jnp.any(slow >= jnp.asarray([SLOW_STEPS, SLOW_JACOBIANS]))
        met = Met(
            radius=jnp.where(poor, radius / 2, wide),
            good=good,
            bad=jnp.where(poor, bad + 1, 0),
            exact=jnp.asarray(False),
            first=met.first & ~take,
            slow=slow.astype(jnp.int32),
        )
        kept = tree.where(take, (back(x + p), trial), (state.x, F))
        known = *kept, B + change[:, None] * along, state.w, C
        spent = state.residuals + 1, state.jacobians + renew
        return roots.RootState(*known, met, *spent, (same & exact) | idle)
