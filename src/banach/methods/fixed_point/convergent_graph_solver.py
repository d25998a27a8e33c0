"""Convergent graph solvers: the fixed points of linear graph contractions."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core.card import method
from banach.core.hyperparameters import flag
from banach.core.method import Method

# Entries of the dense factors (heads x nodes x nodes) up to which they are worth it.
DENSE_UP_TO = 2_000_000


class ConvergentGraphSolverState(eqx.Module):
    """Node states, factors of I - gamma A by head (empty if iterative), products."""

    x: Float[Array, "heads nodes width"]
    factors: tuple
    products: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="GraphFixedPoint",
    needs={"linear_part"},
    assumes={"contractive"},
    paper="park2022convergent",
    rate_of="||x - x*||",
    rate=lambda c, t: c.q**t * c.radius,
    cost=None,
)
class ConvergentGraphSolver(Method):
    """The fixed point of H = gamma A_h H + B_h for all heads h at once.

    direct:     H+ = H + (I - gamma A_h)^-1 (gamma A_h H + B_h - H)
    iterative:  H+ = gamma A_h H + B_h

    `direct` is the matrix inversion of the paper, factored once; a second step is
    iterative refinement. `iterative` contracts by gamma a step in the maximum norm. The
    network that makes A and B of a graph, reconstructed in part, is
    `banach.parts.graph_network.GraphSolver`. Slow where gamma is near 1 and the graph
    too large for `direct`.
    """

    direct: bool = flag(static=True)

    @property
    def typical(self):
        # A direct step is worth a look, as Newton's is; a product is not.
        return {"linear_part": 10 if self.direct else 1}

    @classmethod
    def suggest(cls, problem, facts):
        heads, nodes, _ = problem.space().shape
        return cls(direct=heads * nodes**2 <= DENSE_UP_TO)

    def init(self, problem, start, key):
        x, factors = jnp.asarray(start.x), ()
        if self.direct:
            n = x.shape[1]
            eye = jnp.broadcast_to(jnp.eye(n, dtype=x.dtype), (len(x), n, n))
            system = eye - problem.linear_part(eye)
            factors = jax.vmap(jax.scipy.linalg.lu_factor)(system)
        count = jnp.asarray(int(self.direct), jnp.int32)
        return ConvergentGraphSolverState(x, factors, count, jnp.asarray(False))

    def step(self, problem, state, key):
        moved = problem.linear_part(state.x) + problem.bias - state.x
        if self.direct:
            moved = jax.vmap(jax.scipy.linalg.lu_solve)(state.factors, moved)
        x = state.x + moved
        stuck = jnp.all(x == state.x)
        return ConvergentGraphSolverState(x, state.factors, state.products + 1, stuck)

    def calls(self, state):
        return {"linear_part": state.products}
