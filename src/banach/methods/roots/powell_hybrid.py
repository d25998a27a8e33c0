"""Powell's hybrid method, as in MINPACK's hybrj."""

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

SLOW_STEPS, SLOW_JACOBIANS = 10, 5


class PowellHybridState(eqx.Module):
    """Iterate, weighted F, B near its Jacobian, weights, radius, and what was met."""

    x: PyTree
    F: Float[Array, " n"]
    B: Float[Array, "n n"]
    w: Float[Array, " n"]
    C: Float[Array, " n"]
    radius: Float[Array, ""]
    good: Int[Array, ""]
    bad: Int[Array, ""]
    exact: Bool[Array, ""]
    first: Bool[Array, ""]
    slow: Int[Array, " 2"]
    residuals: Int[Array, ""]
    jacobians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(problem="Root", needs={"residual", "jacobian"}, paper="powell1970hybrid")
class PowellHybrid(Method):
    """Dogleg steps with a matrix B that Broyden's update keeps, renewed when it fails.

    p: from the minimiser of ||F + B p|| along steepest descent towards -B^-1 F, as
       far as ||C p|| <= radius
    B+ = B + (F(x + p) - F - B p) (C^2 p)' / ||C p||^2

    x + p is taken where ||F||^2 falls by 1e-4 of what the model says. The radius is
    halved below a tenth, and doubled from the step above a half or after two
    successes; two failures in a row renew B. C holds the largest column norms of the
    Jacobians met so far. The rules are those of MINPACK's hybrj (More, Garbow and
    Hillstrom 1980), of which this is a reconstruction without its QR updates; the
    first radius is `factor` ||C x||. Weights of the equations, the sizes of their
    terms at the start, are ours.

    Needs few Jacobians. It gives up as MINPACK does: after ten steps that gain less
    than 1e-3 of ||F||^2, or five Jacobians with less than a tenth. Fails where ||F||
    has a stationary point that is no root.
    """

    factor: Any = real(100.0)

    typical: ClassVar[Mapping[str, float]] = {"residual": 1, "jacobian": 0.1}

    @classmethod
    def suggest(cls, problem, facts):
        return _globalisation.not_square("powell_hybrid", problem) or cls()

    def init(self, problem, start, key):
        x = tree.ravel(start.x)[0]
        F, J = tree.ravel(problem.residual(start.x))[0], problem.jacobian(start.x)
        w = _globalisation.weights(F, J, x)
        B = w[:, None] * J
        C = _globalisation.columns(B)
        far = tree.norm(C * x)
        radius = self.factor * jnp.where(far > 0, far, 1)
        zero, yes = jnp.zeros((), jnp.int32), jnp.asarray(True)
        return PowellHybridState(
            start.x, w * F, B, w, C, radius, zero, zero, yes, yes,
            jnp.zeros(2, jnp.int32), zero + 1, zero + 1, ~yes,
        )  # fmt: skip

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        F, size, renew = state.F, tree.norm(state.F), state.bad == 2
        B = jax.lax.cond(
            renew,
            lambda: state.w[:, None] * problem.jacobian(state.x),
            lambda: state.B,
        )
        norms = _globalisation.columns(B)
        C = jnp.where(renew, jnp.maximum(state.C, norms), state.C)
        bad, good = jnp.where(renew, 0, state.bad), jnp.where(renew, 0, state.good)
        p = dogleg(B, F, C, state.radius)
        length = tree.norm(C * p)
        radius = jnp.where(state.first, jnp.minimum(state.radius, length), state.radius)
        trial = state.w * tree.ravel(problem.residual(back(x + p)))[0]
        after, model = tree.norm(trial), F + _globalisation.product(B, p)
        known = tree.all_finite(trial)
        fell = jnp.where(known & (after < size), 1 - (after / size) ** 2, -1.0)
        promised = 1 - (tree.norm(model) / size) ** 2
        ratio = jnp.where(promised > 0, fell / promised, 0)
        poor = ratio < 0.1
        good = jnp.where(poor, 0, good + 1)
        more = (ratio >= 0.5) | (good > 1)
        wide = jnp.where(more, jnp.maximum(radius, 2 * length), radius)
        wide = jnp.where(jnp.abs(ratio - 1) <= 0.1, 2 * length, wide)
        take = ratio >= 1e-4
        # Broyden's update, after a failure too: the model was wrong there.
        change = jnp.where(known, trial - model, 0) / jnp.where(length > 0, length, 1)
        along = C * (C * p) / jnp.where(length > 0, length, 1)
        same = jnp.all(x + p == x) | ~tree.all_finite(p)
        exact = state.exact | renew
        slow = state.slow + jnp.stack([jnp.asarray(1), exact])
        slow = jnp.where(jnp.stack([fell >= 1e-3, exact & (fell >= 0.1)]), 0, slow)
        idle = jnp.any(slow >= jnp.asarray([SLOW_STEPS, SLOW_JACOBIANS]))
        return PowellHybridState(
            x=tree.where(take, back(x + p), state.x),
            F=jnp.where(take, trial, F),
            B=B + change[:, None] * along,
            w=state.w,
            C=C,
            radius=jnp.where(poor, radius / 2, wide),
            good=good,
            bad=jnp.where(poor, bad + 1, 0),
            exact=jnp.asarray(False),
            first=state.first & ~take,
            slow=slow.astype(jnp.int32),
            residuals=state.residuals + 1,
            jacobians=state.jacobians + renew,
            stuck=(same & exact) | idle,
        )

    def calls(self, state):
        return {"residual": state.residuals, "jacobian": state.jacobians}


def dogleg(B, F, C, radius):
    """Powell's step: Newton's inside the radius, else through the Cauchy point."""
    newton = jnp.linalg.solve(B, -F)
    usable = tree.all_finite(newton)
    newton = jnp.where(usable, newton, 0)
    inside = usable & (tree.norm(C * newton) <= radius)
    # Steepest descent in the norm ||C p||.
    g = -_globalisation.product(F, B) / C
    slope = tree.norm(g)
    u = g / jnp.where(slope > 0, slope, 1)
    bend = tree.norm(_globalisation.product(B, u / C))
    cauchy = jnp.minimum(slope / jnp.where(bend > 0, bend, 1) ** 2, radius)
    cauchy = jnp.where(slope > 0, cauchy, 0)
    q, d = cauchy * u, jnp.where(usable, C * newton, cauchy * u) - cauchy * u
    a, b = jnp.vdot(d, d), jnp.vdot(q, d)
    room = jnp.maximum(radius**2 - jnp.vdot(q, q), 0)
    # The positive root of a t^2 + 2 b t = room, without cancellation.
    root = jnp.sqrt(b**2 + a * room)
    t = jnp.where(b > 0, room / (b + root), (root - b) / jnp.where(a > 0, a, 1))
    t = jnp.where(a > 0, jnp.minimum(t, 1), 0)
    return jnp.where(inside, newton, (q + t * d) / C)
