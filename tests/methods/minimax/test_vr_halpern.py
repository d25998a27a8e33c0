"""Variance reduction: the estimate follows F, and the inner solver the resolvent."""

import jax
import numpy as np
from reference import vr_halpern as reference
from reference.vr_halpern import sums

from banach.methods.minimax.vr_halpern import VrHalpern

Z0 = np.array([0.4, -0.3, 0.2])


def test_more_inner_steps_come_nearer_to_the_resolvent():
    """One step from z is its average with the resolvent, here solved exactly."""
    _, oracles = sums()
    keys = jax.random.split(jax.random.key(0), 1)
    s, v = 1.0, Z0
    for _ in range(3000):
        A = s * oracles.operator(v) + v - Z0
        v = oracles.resolvent(v - 0.1 * A, 0.1)
    away = []
    for effort in (1.0, 25.0):
        rows = reference.lipschitz(oracles, Z0, keys, s, 3.0, effort, 1)
        away.append(np.linalg.norm(rows[0] - (Z0 + v) / 2))
    assert np.linalg.norm(v - Z0) > 0.1
    assert away[1] < 1e-3 < away[0]


def test_the_estimate_is_F_after_a_full_pass_and_near_it_otherwise():
    problem, oracles = sums(cocoercive_average=0.2)
    method = VrHalpern(0.05, 5.0, batch=3)
    state = method.init(problem, problem.start(), None)
    step = jax.jit(lambda state, key: method.step(problem, state, key))
    away, full = [], []
    for key in jax.random.split(jax.random.key(1), 100):
        before = int(state.calls[0])
        state = step(state, key)
        F = oracles.operator(np.asarray(state.z))
        away.append(np.linalg.norm(np.asarray(state.estimate) - F))
        full.append(int(state.calls[0]) > before)
    away, full = np.array(away), np.array(full)
    assert np.all(away[full] < 1e-14) and 20 < full.sum() < 80
    assert 0 < away[~full][-1] < 0.05 * np.linalg.norm(oracles.operator(Z0))
