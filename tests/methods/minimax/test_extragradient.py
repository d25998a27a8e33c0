"""Extragradient: distances that fall where gradients spiral out, and where it stops."""

import jax.numpy as jnp
import numpy as np
from reference import extragradient as reference
from reference._case import boxed

from banach.core.point import Point
from banach.methods.minimax.extragradient import Extragradient


def test_the_distance_falls_as_proved_where_gradients_spiral_out():
    """Of the reference, which the method is held to elsewhere; z* = 0."""
    B, none = np.diag([1.0, 0.5, 0.1]), np.zeros((3, 3))
    field = np.block([[none, B], [-B, none]])

    class Game:
        operator = staticmethod(lambda z: field @ z)
        resolvent = staticmethod(lambda v, t: v)

    z = np.array(
        [np.ones(6), *reference.iterates(Game, np.ones(6), 300, step_size=0.5**0.5)]
    )
    far = np.sum(z**2, axis=1)
    # ||z - v|| = s ||F(z)||, and s^2 L^2 = 1/2.
    fall = 0.5 * 0.5 * np.sum((z[:-1] @ field.T) ** 2, axis=1)
    assert np.all(far[1:] <= far[:-1] - fall + 1e-13)
    assert np.linalg.norm(z @ field.T, axis=1).min() <= 2 * 6**0.5 / 301**0.5


def test_it_is_stuck_at_the_solution_and_not_before():
    problem, oracles = boxed()
    method = Extragradient(0.3)
    star = reference.iterates(oracles, np.zeros(3), 2000, step_size=0.3)[-1]
    for z, stuck in ((star, True), (star + 0.01, False)):
        state = method.init(problem, Point(jnp.asarray(z)), None)
        for _ in range(3):
            state = method.step(problem, state, None)
        assert bool(state.stuck) == stuck
