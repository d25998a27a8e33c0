"""Trust-region Newton with exact steps."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method
from banach.methods.smooth._region import Region, advance, begin


class TrustRegionNewtonState(Region):
    """And the Hessian, whether it is old, and counts."""

    hessian: Float[Array, "n n"]
    stale: Bool[Array, ""]
    evaluations: Int[Array, ""]
    hessians: Int[Array, ""]


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
    the eigenvectors of H give the global solution, hard case included, so that saddle
    points are left. Limit points satisfy the second-order conditions; quadratic where
    the Hessian is definite. `radius` is the first radius; infinite: full Newton steps
    until one fails, or from an indefinite Hessian the larger of ||x||, ||g|| / ||H||.

    Fails to be affordable for many unknowns (n^2 memory, n^3 work): use newton_cg.
    """

    radius: Real = real(infinite=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(radius=float("inf"))

    def init(self, problem, start, key):
        here, zero = begin(problem, start.x, self.radius), jnp.zeros((), jnp.int32)
        blank = jnp.zeros((here.g.size, here.g.size), here.g.dtype)
        return TrustRegionNewtonState(
            **vars(here), hessian=blank, stale=jnp.asarray(True),
            evaluations=zero + 1, hessians=zero,
        )  # fmt: skip

    def step(self, problem, state, key):
        hessian = jax.lax.cond(
            state.stale, lambda: problem.hess(state.x), lambda: state.hessian
        )
        there, _, _, accept = advance(problem, state, hessian)
        return TrustRegionNewtonState(
            **vars(there), hessian=hessian, stale=accept,
            evaluations=state.evaluations + 1, hessians=state.hessians + state.stale,
        )  # fmt: skip

    def calls(self, state):
        n = state.evaluations
        return {"value": n, "grad": n, "hess": state.hessians}
