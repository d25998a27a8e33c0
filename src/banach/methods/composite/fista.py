"""Fast iterative shrinkage-thresholding (FISTA), with adaptive restart."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyper import fact, flag
from banach.core.method import Method
from banach.parts.momentum import gradient_restart, nesterov_theta, weight


class FistaState(eqx.Module):
    """Iterate, extrapolated point, momentum parameter; `still`: nothing moved."""

    x: PyTree
    z: PyTree
    theta: Float[Array, ""]
    still: Bool[Array, ""]


@method(
    name="fista",
    family="composite",
    problem="Composite",
    needs={"grad", "prox"},
    assumes={"convex", "smooth"},
    paper="beck2009fista",
    rate_of="F(x) - F*",
    rate=lambda c, t: 2 * c.L * c.radius**2 / (t + 1) ** 2,
    cost={"grad": 1, "prox": 1},
)
class Fista(Method):
    """Proximal gradient steps from an extrapolated point.

    x+ = prox(z - grad f(z) / L, 1 / L),  z+ = x+ + (theta - 1) / theta+ (x+ - x)

    with theta+^2 - theta+ = theta^2. With `restart` (true by default) the momentum
    is dropped whenever it points uphill, <z - x+, x+ - x> > 0 (O'Donoghue and
    Candes 2015): linear convergence once the problem is locally strongly convex,
    without knowing the constant. The rate of the card is proved for restart=False.

    Fails when `lipschitz` is below the true constant: iterates may diverge.
    """

    lipschitz: Any = fact("L", instead="proximal_gradient, which searches for it")
    restart: Any = flag(True)

    def init(self, problem, start, key):
        one = jnp.ones((), tree.dtype(start.x))
        return FistaState(start.x, start.x, one, jnp.asarray(False))

    def step(self, problem, state, key):
        t = 1 / jnp.asarray(self.lipschitz, state.theta.dtype)
        x = problem.prox(tree.axpy(-t, problem.grad(state.z), state.z), t)
        moved = tree.sub(x, state.x)
        back = tree.sub(state.z, x)
        drop = jnp.asarray(self.restart) & gradient_restart(back, x, state.x)
        theta = nesterov_theta(state.theta)
        beta = jnp.where(drop, 0, weight(state.theta, theta))
        # A fixed point of the map from which no momentum is left.
        still = (tree.max_abs(moved) == 0) & (tree.max_abs(back) == 0)
        z = tree.axpy(beta, moved, x)
        return FistaState(x, z, jnp.where(drop, 1, theta), still)

    def stuck(self, state):
        return state.still
