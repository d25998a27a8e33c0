"""Training of a network by projections, without gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, word
from banach.core.method import Method
from banach.parts import batches


class ProjectionTrainingState(eqx.Module):
    """Weights, order of the examples, steps; `stuck`."""

    x: PyTree
    order: batches.Shuffle
    t: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="NetworkFeasibility",
    needs={"copies", "project_operations", "project_agreement"},
    paper="bergmeister2026projection",
    random=True,
)
class ProjectionTraining(Method):
    """Iterative projections on the operations of a network, batch by batch.

    `iteration` "dr" (Douglas-Rachford) or "ap" (alternating projections):

    ap:  c+ = P_A P_B c
    dr:  c+ = c + P_A (2 P_B c - c) - P_B c

    c holds a copy of its values for every edge of the graph of a batch: weights by
    example, activations by the units that read them. P_A projects on z = w.a + b, each
    by itself; P_B on what is left, which makes copies agree (averages), activations
    fit, and outputs keep their margin. A step begins with the forward evaluation of
    the weights on a new batch, makes `inner` such projections and takes the weights of
    P_B c. Weights that give a batch its margins do not move.

    Written from the abstract and the description of the authors' library: the two
    families of sets, the operations' projections, and fresh copies for each batch are
    reconstructed. Sets are not convex: dr may cycle, ap may stop where no margin is
    kept, and nothing is proved.
    """

    batch: int = count(static=True)
    inner: int = count(50, static=True)
    iteration: str = word("dr", "ap", default="dr")

    @classmethod
    def suggest(cls, problem, facts):
        return cls(batch=min(problem.n, 64))

    def init(self, problem, start, key):
        batches.fits(self.batch, problem.n)
        order = batches.shuffled(problem.n, key)
        x = jax.tree.map(jnp.asarray, start.x)
        return ProjectionTrainingState(x, order, jnp.int32(0), jnp.asarray(False))

    def step(self, problem, state, key):
        draw, _ = jax.random.split(key)
        order = batches.ready_for(state.order, self.batch, draw)
        rows = batches.window(order, 0, self.batch)

        def project(_, c):
            b = problem.project_agreement(c, rows)
            if self.iteration == "ap":
                return problem.project_operations(b, rows)
            a = problem.project_operations(tree.axpy(-1, c, tree.scale(2, b)), rows)
            return tree.add(c, tree.sub(a, b))

        c = problem.copies(state.x, rows)
        c = jax.lax.fori_loop(0, self.inner, project, c)
        x = tuple(W[0] for W in problem.project_agreement(c, rows).rows)
        still = tree.max_abs(tree.sub(x, state.x)) == 0
        return ProjectionTrainingState(
            x, batches.spent(order, self.batch), state.t + 1,
            still & (self.batch == problem.n),
        )  # fmt: skip

    @property
    def typical(self):
        return {"project_operations": self.inner}

    def calls(self, state):
        t = state.t
        return {
            "copies": t,
            "project_operations": self.inner * t,
            "project_agreement": (self.inner + 1) * t,
        }
