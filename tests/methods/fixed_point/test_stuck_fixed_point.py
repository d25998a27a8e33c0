"""Methods for fixed points stop where nothing moves, and not before."""

import jax.numpy as jnp
import numpy as np
import pytest
from reference.convergent_graph_solver import graph

from banach.core.point import Point
from banach.kinds.fixed_point.problem import FixedPoint
from banach.methods.fixed_point.anderson import Anderson
from banach.methods.fixed_point.convergent_graph_solver import ConvergentGraphSolver
from banach.methods.fixed_point.picard import Picard

FLAT = FixedPoint(lambda x: 0 * x + 0.1, np.ones(2), contraction=0.5)
GRAPH = graph(gamma=1e-30)[0]


@pytest.mark.parametrize(
    ("problem", "method"),
    [
        (FLAT, Picard(1.0)),
        (FLAT, Anderson()),
        (GRAPH, ConvergentGraphSolver(True)),
        (GRAPH, ConvergentGraphSolver(False)),
    ],
)
def test_it_is_stuck_where_nothing_moves(problem, method):
    """A constant map, or one that is constant but for rounding."""
    start = Point(jnp.zeros_like(problem.start().x))
    state, seen = method.init(problem, start, None), []
    for _ in range(2):
        state = method.step(problem, state, None)
        seen.append(bool(state.stuck))
    assert seen == [False, True]
