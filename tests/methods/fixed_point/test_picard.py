"""Picard: what averaging is for, and where it stops."""

import jax.numpy as jnp
import numpy as np
import pytest
from reference import picard as reference

from banach.core.point import Point
from banach.kinds.fixed_point.problem import FixedPoint
from banach.methods.fixed_point.picard import Picard


def test_a_rotation_is_circled_by_plain_steps_and_solved_by_averaged_ones():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    plain, mean = (
        reference.iterates(lambda x: turn @ x, np.ones(2), 60, relaxation=lam)[-1]
        for lam in (1.0, 0.5)
    )
    assert np.linalg.norm(plain) == pytest.approx(np.sqrt(2), rel=1e-12)
    assert np.linalg.norm(mean) < 1e-8


def test_it_is_stuck_where_nothing_moves():
    flat = FixedPoint(lambda x: 0 * x + 0.1, np.ones(2), contraction=0.5)
    method = Picard(1.0)
    state = method.init(flat, Point(jnp.ones(2)), None)
    seen = []
    for _ in range(2):
        state = method.step(flat, state, None)
        seen.append(bool(state.stuck))
    assert seen == [False, True]
