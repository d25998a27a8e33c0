"""The three-operator splitting of Davis and Yin, on the graph of K."""

from typing import Any

from banach.core.card import method
from banach.core.hyperparameters import fact, real
from banach.methods.splitting._graph_splitting import GraphSplitting
from banach.parts.graph_solves import graph_projection


@method(
    problem="Structured",
    needs={"grad", "prox", "outer_prox", "forward", "adjoint"},
    assumes={"convex", "smooth"},
    paper="davis2017three",
    cost={"grad": 1, "prox": 1, "outer_prox": 1, "forward": 1, "adjoint": 1},
    init_cost={"forward": 1, "adjoint": 1},
)
class DavisYin(GraphSplitting):
    """Douglas-Rachford with a gradient step between its two proximal ones.

    u = prox_{t B}(s),  v = prox_{t A}(2 u - s - t grad f(u)),
    s+ = s + relaxation (v - u)

    B is the graph z = K x, of which the projection is factorised once; A = g(x) + h(z),
    a prox each; f is any smooth function. t is `step_size`, and t norm^2 the step of z,
    which puts the rows of K in the unit of x. Dense: for up to a few thousand unknowns.
    y = (2 u - s - v)_z / (t norm^2) is in the subgradients of h.

    Converges for t < 2 / L and relaxation < 2 - t L / 2. Fails when steps are longer.
    """

    step_size: Any = fact("L", lambda L: 1 / L)
    norm: Any = fact("norm")
    relaxation: Any = real(1.0, below=2)

    def init(self, problem, start, key):
        return self.begun(problem, start, graph_projection)

    def step(self, problem, state, key):
        return self.turned(problem, state, problem.grad)
