"""Methods for inclusions stop where nothing moves, and not before."""

import jax.numpy as jnp
import numpy as np
import pytest
from reference import extragradient as reference
from reference._case import boxed

from banach.core.point import Point
from banach.methods.minimax.backtracking_extragradient import BacktrackingExtragradient
from banach.methods.minimax.extragradient import Extragradient
from banach.methods.minimax.golden_ratio import GoldenRatio

METHODS = [Extragradient(0.3), BacktrackingExtragradient(), GoldenRatio()]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.label())
def test_it_is_stuck_at_the_solution_and_not_before(method):
    problem, oracles = boxed()
    star = reference.iterates(oracles, np.zeros(3), 2000, step_size=0.3)[-1]
    for z, stuck in ((star, True), (star + 0.01, False)):
        state = method.init(problem, Point(jnp.asarray(z)), None)
        for _ in range(10):
            state = method.step(problem, state, None)
        assert bool(state.stuck) == stuck
