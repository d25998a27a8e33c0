"""Trust-region Newton with exact steps."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.methods.smooth._second_order import NewtonMethod, NewtonState
from banach.parts import newton, trust_region


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"smooth"},
    paper="more1983computing",
)
class TrustRegionNewton(NewtonMethod):
    """Minimise the second-order model over a ball; trust it as far as it was right.

    p = argmin g.p + p.Hp / 2 over ||p|| <= radius,  x+ = x + p if f fell enough

    A Cholesky factorisation serves while the Newton step lies inside the ball, else the
    eigenvectors of H, in the hard case too: saddle points are left. Limits satisfy the
    second-order conditions; quadratic where H is definite. `radius` is the first; if
    infinite, full steps until one fails, or max(||x||, ||g|| / ||H||) if H is not.

    Fails to be affordable for many unknowns (n^2 memory, n^3 work): use newton_cg.
    """

    radius: Float[Array, ""] = real(infinite=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(radius=float("inf"))

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g = tree.ravel(g)[0]
        f, radius = jnp.asarray(f, g.dtype), jnp.asarray(self.radius, g.dtype)
        blank, zero = jnp.zeros((g.size, g.size), g.dtype), jnp.zeros((), jnp.int32)
        yes = jnp.asarray(True)
        return NewtonState(start.x, f, g, (blank, yes, radius), zero + 1, zero, ~yes)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        old, stale, radius = state.known
        hessian = jax.lax.cond(stale, lambda: problem.hess(state.x), lambda: old)
        p, predicted, bounded = newton.trusted(hessian, x, state.g, radius)
        trial = x + p
        f, g = problem.value_and_grad(back(trial))
        g = tree.ravel(g)[0]
        rho = newton.agreement(state.f, f, state.g, g, p, predicted)
        accept, size = rho > 1e-4, tree.norm(p)
        reach = jnp.where(bounded, size, radius)
        radius = trust_region.update_radius(reach, rho, size, bounded)
        kept = tree.where(accept, (back(trial), f, g), (state.x, state.f, state.g))
        spent = state.evaluations + 1, state.seconds + stale
        stuck = jnp.all(trial == x) | ~(radius > 0)
        return NewtonState(*kept, (hessian, accept, radius), *spent, stuck)
