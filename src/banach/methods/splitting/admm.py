"""The alternating direction method of multipliers, over-relaxed and balanced."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, fact, real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.graph_solves import GraphSolves, graph_solves
from banach.parts.primal_dual import started


class AdmmState(eqx.Module):
    """w and y as returned, z, scaled multipliers, the penalty, the factorisation."""

    w: Array
    y: Array
    z: Array
    q: Array
    u: Array
    rho: Float[Array, ""]
    turn: Int[Array, ""]
    solves: GraphSolves


@method(
    problem="Structured",
    needs={"grad", "hess", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="boyd2011distributed",
    cost={"prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 2},
    init_cost={"grad": 1, "hess": 1, "forward": 1, "adjoint": 1},
)
class Admm(Method):
    """f(x) + g(w) + h(z) with w = x and z = K x, one block after the other.

    x+ = argmin f(x) + rho/2 (||x - w + q||^2 + ||K x - z + u||^2 / n^2)
    w+ = prox_g(x' + q, 1 / rho),  z+ = prox_h(z' + u, n^2 / rho)
    q+ = q + x' - w+,  u+ = u + z' - z+

    with (x', z') = alpha (x+, K x+) + (1 - alpha) (w, z); y = rho u / n^2. n is `norm`,
    at least ||K||, which puts the rows of K in the unit of x.
    The first step is a linear system, so f is a quadratic or absent; it is factorised
    once for all rho. In the first `adapt` steps rho doubles where the primal residual
    is above ten times the dual one, and halves where it is below a tenth (section
    3.4.1; then it stays, as the proof of convergence asks).

    Dense: for up to a few thousand unknowns. Fails where f is no quadratic: it is
    refused. Slow where rho is far off once it stays.
    """

    rho: Any = fact("L")
    norm: Any = fact("norm")
    alpha: Any = real(1.6, below=2)
    adapt: Any = count(100, low=0)

    def init(self, problem, start, key):
        x, n = start.x, jnp.asarray(self.norm, start.x.dtype)
        rho, y = jnp.asarray(self.rho, x.dtype), started(problem, start)
        # At a solution rho q is in the subgradients of g: -K'y, without f.
        q, u = -problem.adjoint(y) / rho, n**2 * y / rho
        solves, turn = graph_solves(problem, x, n), jnp.zeros((), jnp.int32)
        return AdmmState(x, y, problem.forward(x), q, u, rho, turn, solves)

    def step(self, problem, state, key):
        w, z, rho, dtype = state.w, state.z, state.rho, state.w.dtype
        n, alpha = jnp.asarray(self.norm, dtype), jnp.asarray(self.alpha, dtype)
        x = state.solves(problem, w - state.q, z - state.u, 1 / rho, n)
        image = problem.forward(x)
        q = state.q + alpha * x + (1 - alpha) * w
        u = state.u + alpha * image + (1 - alpha) * z
        new = problem.prox(q, 1 / rho), problem.outer_prox(u, n**2 / rho)
        q, u = q - new[0], u - new[1]
        moved = new[0] - w + problem.adjoint(new[1] - z) / n**2
        primal = tree.norm((x - new[0], (image - new[1]) / n))
        dual = rho * tree.norm(moved)
        factor = jnp.where(primal > 10 * dual, 2.0, 1.0)
        factor = jnp.where(dual > 10 * primal, 0.5, factor)
        factor = jnp.where(state.turn < self.adapt, factor, 1.0).astype(dtype)
        y = rho * u / n**2
        turn = jnp.minimum(state.turn + 1, jnp.iinfo(jnp.int32).max - 1)
        q, u, rho = q / factor, u / factor, rho * factor
        return AdmmState(new[0], y, new[1], q, u, rho, turn, state.solves)

    def point(self, state):
        return Point(state.w, state.y)
