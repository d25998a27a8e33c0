"""Variance reduction: the inner solver comes to the resolvent."""

import jax
import numpy as np
from reference import vr_halpern as reference

Z0 = np.array([0.4, -0.3, 0.2])


def test_more_inner_steps_come_nearer_to_the_resolvent():
    """One step from z is its average with the resolvent, here solved exactly."""
    _, oracles = reference.sums()
    keys, s, v = jax.random.split(jax.random.key(0), 1), 1.0, Z0
    for _ in range(3000):
        v = oracles.resolvent(v - 0.1 * (s * oracles.operator(v) + v - Z0), 0.1)
    away = []
    for effort in (1.0, 25.0):
        rows = reference.lipschitz(oracles, Z0, keys, s, 3.0, effort, 1)
        away.append(np.linalg.norm(rows[0] - (Z0 + v) / 2))
    assert np.linalg.norm(v - Z0) > 0.1
    assert away[1] < 1e-3 < away[0]
