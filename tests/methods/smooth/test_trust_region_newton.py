"""Exact trust-region Newton: saddle points, the noise floor, traces."""

import jax
import numpy as np
import smooth_drive as sd

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.trust_region_newton import TrustRegionNewton


def test_it_leaves_a_saddle_in_the_hard_case():
    # At y = 0 the gradient has no part along the negative curvature.
    problem = Smooth(lambda x: x[0] ** 2 + (x[1] ** 2 - 1) ** 2, np.array([1.0, 0.0]))
    xs, _, _ = sd.drive(TrustRegionNewton(np.inf), problem, 15)
    np.testing.assert_allclose(np.abs(xs[-1]), [0, 1], atol=1e-10)


def test_it_is_stuck_at_the_noise_floor_only():
    problem = sd.noisy()
    state, steps = sd.until_stuck(TrustRegionNewton(np.inf), problem)
    assert bool(state.stuck) and steps < 300
    assert np.linalg.norm(state.g) < 1e-7 * np.linalg.norm(problem.grad(problem.x0))


def test_each_oracle_is_traced_once():
    problem = sd.sinh_bowl()
    hessian = str(jax.make_jaxpr(problem.hess)(problem.x0)).count(" sinh ")
    assert sd.traces(TrustRegionNewton(1.0), problem, "sinh") == 1 + hessian
