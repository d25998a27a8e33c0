"""Gradient descent without a server: neighbours average iterates and gradients."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real, upper, word
from banach.core.method import Method, Refusal
from banach.methods.distributed import _graphs, _own_points, _rows
from banach.parts import worker_map


class GradientTrackingState(eqx.Module):
    x: PyTree  # the mean of the workers' iterates
    own: Float[Array, "workers n"]
    y: Float[Array, "workers n"]  # what each believes of grad F
    g: Float[Array, "workers n"]  # each worker's gradient at its own iterate


@method(
    problem="DistributedSum",
    needs={"coded_grad"},
    assumes={"smooth"},
    paper="nedic2017achieving",
    cost={"coded_grad": 1},
    init_cost={"coded_grad": 1},
)
class GradientTracking(Method):
    """DIGing: workers mix iterates with their neighbours, and track the mean gradient.

    x_i+ = sum_j W_ij x_j - step_size y_i
    y_i+ = sum_j W_ij y_j + grad f_i(x_i+) - grad f_i(x_i),  y_i = grad f_i(x0) at first

    W holds the Metropolis weights of `graph`, ring, line, star or complete, which does
    not change here. mean(y_i) is always mean(grad f_i(x_i)), so that iterates converge
    linearly to the solution where F is strongly convex, at a constant step, whatever
    the workers' data; without y they end at a floor. The mean of the workers' iterates
    is handed out. `suggest` takes the step (1 - s)^2 / (4 L_worker), s the second
    largest modulus of W's eigenvalues: a rule of ours, far above what proofs ask for.

    Fails (diverges) where step_size is too large for a badly connected graph.
    """

    step_size: Real = real()
    graph: str = word(*_graphs.NAMES, default="ring")

    @classmethod
    def suggest(cls, problem, facts, graph="ring"):
        L = upper(facts, "L_worker")
        if L is None:
            return Refusal(
                "fact L_worker",
                "gradient_tracking needs a bound on the curvature of every worker's "
                "f_i: DistributedSum(..., L=...), or give GradientTracking(step_size)",
            )
        s = _graphs.slowest(graph, problem.workers)
        return cls((1 - s) ** 2 / (4 * L), graph)

    def init(self, problem, start, key):
        x, _ = tree.ravel(start.x)
        own = jnp.tile(x, (problem.workers, 1))
        g = _own_points.gradients(problem, own)
        return GradientTrackingState(start.x, own, g, g)

    def step(self, problem, state, key):
        W = _graphs.metropolis(self.graph, problem.workers)
        W = jnp.asarray(W, state.own.dtype)
        mix = lambda rows: jnp.matmul(W, rows, precision=tree.PRECISION)  # noqa: E731
        own = mix(state.own) - self.step_size * state.y
        g = _own_points.gradients(problem, own)
        y = mix(state.y) + g - state.g
        unravel = tree.ravel(state.x)[1]
        x = unravel(worker_map.mean(problem.mesh, own))
        return GradientTrackingState(x, own, y, g)

    def sent(self, problem, steps):
        edges = np.sum(_graphs.adjacency(self.graph, problem.workers))
        return {"across": int(edges) * steps * 2 * _rows.bits(problem) // 8}
