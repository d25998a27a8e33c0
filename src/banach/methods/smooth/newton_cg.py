"""Trust-region Newton with truncated conjugate gradients (Steihaug)."""

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, Whole, count, real
from banach.methods.smooth._second_order import NewtonMethod, NewtonState
from banach.parts import newton, trust_region


@method(
    problem="Smooth",
    needs={"value", "grad", "hvp"},
    assumes={"smooth"},
    paper="steihaug1983conjugate",
)
class NewtonCg(NewtonMethod):
    """Newton steps by conjugate gradients, cut off at a trust region.

    ||H p + g|| <= min(1/2, sqrt(||g|| / ||g_0||)) ||g||,  ||p|| <= radius

    The inner iteration ends at that accuracy, at the boundary, at negative curvature
    (followed to the boundary), or after `inner_steps` products with H. The accuracy
    follows the gradient: superlinear at the end, cheap before. `radius` is the first.

    Fails slowly where H is ill-conditioned and its eigenvalues are not clustered.
    """

    radius: Real = real(infinite=True)
    inner_steps: Whole = count()

    @classmethod
    def suggest(cls, problem, facts):
        return cls(radius=1.0, inner_steps=max(10, min(2 * problem.size(), 1000)))

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        dtype, zero = tree.dtype(start.x), jnp.zeros((), jnp.int32)
        f, radius = jnp.asarray(f, dtype), jnp.asarray(self.radius, dtype)
        known = tree.norm(g), radius
        return NewtonState(start.x, f, g, known, zero + 1, zero, jnp.asarray(False))

    def step(self, problem, state, key):
        first, radius = state.known
        relative = tree.norm(state.g) / jnp.where(first > 0, first, 1)
        tol, most = jnp.minimum(0.5, jnp.sqrt(relative)), self.inner_steps
        out = trust_region.steihaug(
            lambda v: problem.hvp(state.x, v), state.g, radius, tol=tol, max_steps=most
        )
        x = tree.add(state.x, out.step)
        f, g = problem.value_and_grad(x)
        rho = newton.agreement(state.f, f, state.g, g, out.step, out.predicted)
        accept, size = rho > 1e-4, tree.norm(out.step)
        radius = trust_region.update_radius(radius, rho, size, out.on_boundary)
        still = tree.max_abs(tree.sub(x, state.x)) == 0
        kept = tree.where(accept, (x, f, g), (state.x, state.f, state.g))
        spent = state.evaluations + 1, state.seconds + out.calls
        return NewtonState(*kept, (first, radius), *spent, still | ~(radius > 0))
