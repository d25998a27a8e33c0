"""Trust-region Newton with exact steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.parts import newton, trust_region


class TrustRegionNewtonState(eqx.Module):
    """Iterate, value, gradient, Hessian and whether it is old, radius, and counts."""

    x: PyTree
    f: Float[Array, ""]
    g: Float[Array, " n"]
    hessian: Float[Array, "n n"]
    stale: Bool[Array, ""]
    radius: Float[Array, ""]
    evaluations: Int[Array, ""]
    hessians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"smooth"},
    paper="more1983computing",
)
class TrustRegionNewton(Method):
    """Minimise the second-order model over a ball; trust it as far as it was right.

    p = argmin g.p + p.Hp / 2 over ||p|| <= radius,  x+ = x + p if f fell enough

    A Cholesky factorisation serves while the Newton step lies inside the ball; else
    the eigenvectors of H give the global solution of the model, hard case included,
    so that saddle points are left. A rejected step keeps the Hessian. Limit points
    satisfy the second-order conditions; quadratic where the Hessian is definite.

    `radius` is the first radius. Infinite: full Newton steps until one fails, and
    where the first Hessian is not positive definite the larger of ||x|| and
    ||g|| / ||H||, so that the units of x and f do not matter.

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
        return TrustRegionNewtonState(
            start.x, f, g, blank, yes, radius, zero + 1, zero, ~yes
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        hessian = jax.lax.cond(
            state.stale, lambda: problem.hess(state.x), lambda: state.hessian
        )
        p, predicted, bounded = newton.trusted(hessian, x, state.g, state.radius)
        trial = x + p
        f, g = problem.value_and_grad(back(trial))
        g = tree.ravel(g)[0]
        rho = newton.agreement(state.f, f, state.g, g, p, predicted)
        accept = rho > 1e-4
        size = tree.norm(p)
        reach = jnp.where(bounded, size, state.radius)
        radius = trust_region.update_radius(reach, rho, size, bounded)
        return TrustRegionNewtonState(
            x=tree.where(accept, back(trial), state.x),
            f=jnp.where(accept, f, state.f),
            g=jnp.where(accept, g, state.g),
            hessian=hessian,
            stale=accept,
            radius=radius,
            evaluations=state.evaluations + 1,
            hessians=state.hessians + state.stale,
            stuck=jnp.all(trial == x) | ~(radius > 0),
        )

    def calls(self, state):
        n = state.evaluations
        return {"value": n, "grad": n, "hess": state.hessians}
