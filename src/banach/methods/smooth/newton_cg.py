"""Trust-region Newton with truncated conjugate gradients (Steihaug)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.parts import newton, trust_region


class NewtonCgState(eqx.Module):
    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    first: Float[Array, ""]
    radius: Float[Array, ""]
    evaluations: Int[Array, ""]
    products: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad", "hvp"},
    assumes={"smooth"},
    paper="steihaug1983conjugate",
)
class NewtonCg(Method):
    """Newton steps by conjugate gradients, cut off at a trust region.

    ||H p + g|| <= min(1/2, sqrt(||g|| / ||g_0||)) ||g||,  ||p|| <= radius

    The inner iteration ends at that accuracy, at the boundary, at negative
    curvature (followed to the boundary), or after `inner_steps` products with H.
    The accuracy follows the gradient, so that convergence is superlinear while the
    early steps stay cheap. No matrix is formed. `radius` is the first radius.

    Fails slowly where H is ill-conditioned and not clustered: each digit of a step
    then takes many products.
    """

    radius: Float[Array, ""] = real(infinite=True)
    inner_steps: Int[Array, ""] = count()

    @classmethod
    def suggest(cls, problem, facts):
        return cls(radius=1.0, inner_steps=max(10, min(2 * problem.size(), 1000)))

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        dtype = tree.dtype(start.x)
        zero = jnp.zeros((), jnp.int32)
        return NewtonCgState(
            x=start.x,
            f=jnp.asarray(f, dtype),
            g=g,
            first=tree.norm(g),
            radius=jnp.asarray(self.radius, dtype),
            evaluations=zero + 1,
            products=zero,
            stuck=jnp.asarray(False),
        )

    def step(self, problem, state, key):
        relative = tree.norm(state.g) / jnp.where(state.first > 0, state.first, 1)
        out = trust_region.steihaug(
            lambda v: problem.hvp(state.x, v),
            state.g,
            state.radius,
            tol=jnp.minimum(0.5, jnp.sqrt(relative)),
            max_steps=self.inner_steps,
        )
        x = tree.add(state.x, out.step)
        f, g = problem.value_and_grad(x)
        rho = newton.agreement(state.f, f, state.g, g, out.step, out.predicted)
        accept = rho > 1e-4
        size = tree.norm(out.step)
        radius = trust_region.update_radius(state.radius, rho, size, out.on_boundary)
        still = tree.max_abs(tree.sub(x, state.x)) == 0
        return NewtonCgState(
            x=tree.where(accept, x, state.x),
            f=jnp.where(accept, f, state.f),
            g=tree.where(accept, g, state.g),
            first=state.first,
            radius=radius,
            evaluations=state.evaluations + 1,
            products=state.products + out.calls,
            stuck=still | ~(radius > 0),
        )

    def calls(self, state):
        n = state.evaluations
        return {"value": n, "grad": n, "hvp": state.products}
