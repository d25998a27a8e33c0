"""Douglas-Rachford splitting on the graph of K."""

from typing import Any

from banach.core.card import method
from banach.core.hyperparameters import fact, real
from banach.methods.splitting._graph_splitting import GraphSplitting
from banach.parts.graph_solves import graph_solves


@method(
    problem="Structured",
    needs={"grad", "hess", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="eckstein1992douglas",
    cost={"prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 1},
    init_cost={"grad": 1, "hess": 1, "forward": 1, "adjoint": 1},
)
class DouglasRachford(GraphSplitting):
    """Reflections at a graph and at a separable sum, averaged with the identity.

    u = prox_{t F}(s),  v = prox_{t G}(2 u - s),  s+ = s + relaxation (v - u)

    F(x, z) = f(x) where z = K x, for a quadratic f or none: one linear system, the
    same at every step. G(x, z) = g(x) + h(z), a prox each. t is `step_size`, and
    t norm^2 the step of z, which puts the rows of K in the unit of x. Dense: for up to
    a few thousand unknowns. y = (2 u - s - v)_z / (t norm^2) is in the subgradients
    of h.

    Converges for any t > 0 and relaxation in (0, 2); slow where t is far from the
    ratio of the sizes of x and y. Fails where f is no quadratic: it is refused.
    """

    step_size: Any = fact("L", lambda L: 1 / L)
    norm: Any = fact("norm")
    relaxation: Any = real(1.0, below=2)

    def init(self, problem, start, key):
        return self.begun(problem, start, graph_solves)

    def step(self, problem, state, key):
        # f is in the linear system.
        return self.turned(problem, state, lambda x: 0)
