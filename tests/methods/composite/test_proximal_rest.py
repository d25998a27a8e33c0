"""Where proximal gradients rest, with momentum and without: at the solution alone."""

import numpy as np
import pytest
from drive import iterates
from reference._case import lasso

from banach.methods.composite.fista import Fista
from banach.methods.composite.proximal_gradient import ProximalGradient

PROBLEM, ORACLES = lasso()
L = ORACLES.L
METHODS = [Fista(L), Fista(L, restart=False), Fista(L / 30, grow=True)]
METHODS += [ProximalGradient(L, False), ProximalGradient(1.0, True)]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_it_rests_at_the_solution_alone(method):
    xs, state = iterates(PROBLEM, method, 2000)
    x = ORACLES.prox(xs[-1] - ORACLES.grad(xs[-1]) / L, 1 / L)
    np.testing.assert_allclose(x, xs[-1], atol=1e-14)
    # Rounding drove no estimate of L away from the scale of the curvature.
    assert 1e-3 * L < float(state.lipschitz) < 4 * L
    # A search tries other steps for ever, and their last bits differ.
    moved = np.abs(np.diff(xs[-9:], axis=0)).max(axis=1)
    assert bool(state.stuck) == (moved[-1] == 0)
    assert moved.min() == 0 and moved.max() <= 2e-16
    assert not bool(iterates(PROBLEM, method, 3)[1].stuck)
