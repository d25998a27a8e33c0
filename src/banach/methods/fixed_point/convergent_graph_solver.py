"""Convergent graph solvers: the fixed points of linear graph contractions."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core.card import method
from banach.core.hyperparameters import flag
from banach.core.method import Method

Heads = Float[Array, "heads nodes width"]
# Entries of the dense factors (heads x nodes x nodes) up to which they are worth it.
DENSE_UP_TO = 2_000_000


class ConvergentGraphSolverState(eqx.Module):
    """Node states, factors of I - gamma A by head (empty if iterative), products."""

    x: Heads
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

    `direct` is the matrix inversion of the paper, factored once per head; a second
    step is iterative refinement. `iterative` needs only products with A and
    contracts by gamma a step in the maximum norm. The network that builds A and B
    from the features of a graph, and that is trained through the fixed point by
    implicit gradients, is `banach.parts.graph_network.GraphSolver`; its `maps` are
    the data of a `GraphFixedPoint`. Written from the paper's abstract and a summary
    of its method; details of its networks are reconstructed.

    Fails slowly where gamma is near 1 and the graph too large for `direct`.
    """

    direct: bool = flag(static=True)

    @property
    def typical(self):
        """A direct step is worth a look, as Newton's is; a product is not."""
        return {"linear_part": 10 if self.direct else 1}

    @classmethod
    def suggest(cls, problem, facts):
        heads, nodes, _ = problem.space().shape
        return cls(direct=heads * nodes**2 <= DENSE_UP_TO)

    def init(self, problem, start, key):
        x = jnp.asarray(start.x)
        factors = ()
        if self.direct:
            heads, nodes, _ = x.shape
            eye = jnp.broadcast_to(jnp.eye(nodes, dtype=x.dtype), (heads, nodes, nodes))
            system = eye - problem.linear_part(eye)
            factors = jax.vmap(jax.scipy.linalg.lu_factor)(system)
        count = jnp.asarray(int(self.direct), jnp.int32)
        return ConvergentGraphSolverState(x, factors, count, jnp.asarray(False))

    def step(self, problem, state, key):
        moved = problem.linear_part(state.x) + problem.bias - state.x
        if self.direct:
            lu = state.factors
            moved = jax.vmap(lambda a, p, r: jax.scipy.linalg.lu_solve((a, p), r))(
                *lu, moved
            )
        x = state.x + moved
        stuck = jnp.all(x == state.x)
        return ConvergentGraphSolverState(x, state.factors, state.products + 1, stuck)

    def calls(self, state):
        return {"linear_part": state.products}
