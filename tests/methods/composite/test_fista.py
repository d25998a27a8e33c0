"""FISTA: where it comes to rest."""

import numpy as np
from drive import iterates
from reference._case import lasso

from banach.methods.composite.fista import Fista


def test_it_stops_moving_at_the_solution():
    problem, oracles = lasso()
    xs, state = iterates(problem, Fista(oracles.L), 1000)
    x = oracles.prox(xs[-1] - oracles.grad(xs[-1]) / oracles.L, 1 / oracles.L)
    np.testing.assert_allclose(x, xs[-1], atol=1e-15)
    assert bool(state.stuck)
    assert not bool(iterates(problem, Fista(oracles.L), 3)[1].stuck)
