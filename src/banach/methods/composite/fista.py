"""Fast iterative shrinkage-thresholding (FISTA), with adaptive restart."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Flag, Real, fact, flag, usable
from banach.core.method import Method
from banach.methods.composite import _curvature
from banach.parts.momentum import gradient_restart, nesterov_theta, weight


class FistaState(eqx.Module):
    """Iterate, extrapolated point, momentum, L so far, the last z with its gradient."""

    x: PyTree
    z: PyTree
    theta: Float[Array, ""]
    lipschitz: Float[Array, ""]
    last: tuple[PyTree, PyTree] | None
    stuck: Bool[Array, ""]


@method(
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

    with theta+^2 - theta+ = theta^2. `restart` drops the momentum where it points
    uphill, <z - x+, x+ - x> > 0 (O'Donoghue and Candes 2015): linear convergence where
    f is locally strongly convex. With `grow` L begins at `lipschitz` (a Ritz value, in
    linear models) and rises to the largest curvature that two gradients show, without
    momentum where it does. The rate of the card is proved without either.

    Fails when `lipschitz` is below the true constant and does not grow: it may diverge.
    """

    lipschitz: Real = fact("L", instead="proximal_gradient, which searches for it")
    restart: Flag = flag(True)
    grow: bool = flag(False, static=True)

    @classmethod
    def suggest(cls, problem, facts, **given):
        seen = usable(facts, "curvature")
        if seen is None or {"lipschitz", "grow"} & given.keys():
            return super().suggest(problem, facts, **given)
        return cls(lipschitz=seen, grow=True, **given)

    def init(self, problem, start, key):
        one = jnp.ones((), tree.dtype(start.x))
        L = jnp.asarray(self.lipschitz, one.dtype)
        # No change of z: nothing is seen in the first step.
        last = (start.x, tree.zeros_like(start.x)) if self.grow else None
        return FistaState(start.x, start.x, one, L, last, jnp.asarray(False))

    def step(self, problem, state, key):
        g, L, theta = problem.grad(state.z), state.lipschitz, state.theta
        if self.grow:
            seen = _curvature.shown(state.z, g, *state.last)
            theta = jnp.where(seen > L, 1, theta)
            L = jnp.maximum(L, seen)
        t = 1 / L
        x = problem.prox(tree.axpy(-t, g, state.z), t)
        moved, back = tree.sub(x, state.x), tree.sub(state.z, x)
        drop = jnp.asarray(self.restart) & gradient_restart(back, x, state.x)
        after = nesterov_theta(theta)
        beta = jnp.where(drop, 0, weight(theta, after))
        # A fixed point of the map from which no momentum is left.
        stuck = (tree.max_abs(moved) == 0) & (tree.max_abs(back) == 0)
        z = tree.axpy(beta, moved, x)
        last = (state.z, g) if self.grow else None
        return FistaState(x, z, jnp.where(drop, 1, after), L, last, stuck)
