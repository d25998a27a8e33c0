"""Fast iterative shrinkage-thresholding (FISTA), with adaptive restart."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import fact, flag, usable
from banach.core.method import Method
from banach.parts.momentum import gradient_restart, nesterov_theta, weight


class FistaState(eqx.Module):
    """Iterate, extrapolated point, momentum, L as seen so far, the last gradient.

    `stuck`: nothing moved.
    """

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

    with theta+^2 - theta+ = theta^2. With `restart` (true by default) the momentum
    is dropped whenever it points uphill, <z - x+, x+ - x> > 0 (O'Donoghue and
    Candes 2015): linear convergence once the problem is locally strongly convex,
    without knowing the constant. The rate of the card is proved for restart=False.

    With `grow` the constant given is where it begins: whatever curvature a step shows,
    ||g+ - g||^2 / <g+ - g, z+ - z> with g = grad f(z), is at most the true constant,
    and L is the largest seen; the momentum is dropped where it grows. No oracle is
    called for it. A linear model begins so with a Ritz value, where a bound of its
    constant would cost more than the solve; the rate is then observed, not proved.

    Fails when `lipschitz` is below the true constant and does not grow: iterates may
    diverge.
    """

    lipschitz: Any = fact("L", instead="proximal_gradient, which searches for it")
    restart: Any = flag(True)
    grow: bool = flag(False, static=True)

    @classmethod
    def suggest(cls, problem, facts, **given):
        seen = (
            None if {"lipschitz", "grow"} & given.keys() else usable(facts, "curvature")
        )
        if seen is None:
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
            seen = _seen(state, g)
            theta = jnp.where(seen > L, 1, theta)
            L = jnp.maximum(L, seen)
        t = 1 / L
        x = problem.prox(tree.axpy(-t, g, state.z), t)
        moved = tree.sub(x, state.x)
        back = tree.sub(state.z, x)
        drop = jnp.asarray(self.restart) & gradient_restart(back, x, state.x)
        after = nesterov_theta(theta)
        beta = jnp.where(drop, 0, weight(theta, after))
        # A fixed point of the map from which no momentum is left.
        stuck = (tree.max_abs(moved) == 0) & (tree.max_abs(back) == 0)
        z = tree.axpy(beta, moved, x)
        last = (state.z, g) if self.grow else None
        return FistaState(x, z, jnp.where(drop, 1, after), L, last, stuck)


def _seen(state: FistaState, g: PyTree) -> Float[Array, ""]:
    """The curvature between the last two gradients; 0 where rounding hides it."""
    z, before = state.last
    dz, dg = tree.sub(state.z, z), tree.sub(g, before)
    along, square = tree.vdot(dg, dz), tree.vdot(dg, dg)
    eps = float(jnp.finfo(along.dtype).eps) ** 0.5
    clear = (tree.norm(dz) > eps * tree.norm(z)) & (tree.norm(dg) > eps * tree.norm(g))
    clear = clear & (along > 0) & jnp.isfinite(square / jnp.where(along > 0, along, 1))
    return jnp.where(clear, square / jnp.where(along > 0, along, 1), 0)
