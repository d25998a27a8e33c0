"""Newton methods at saddles, at singular Hessians, and where values are noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import smooth_drive as sd

from banach import catalogue
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.trust_region_newton import TrustRegionNewton


def flat(x):
    return jnp.sum(jnp.sqrt(1 + (x[:2] - 1) ** 2))


@pytest.mark.parametrize("name", ["root_newton", "trust_region_newton"])
def test_a_singular_hessian_is_shifted(name):
    problem = Smooth(flat, np.array([3.0, -2.0, 5.0]), convex=True)
    method = catalogue.load_method(name).suggest(problem, problem.facts())
    xs, _, states = sd.drive(method, problem, 25)
    np.testing.assert_allclose(xs[-1], [1.0, 1.0, 5.0], atol=1e-10)
    assert np.all(np.diff([float(s.f) for s in states]) <= 1e-15)


def test_a_saddle_is_left_in_the_hard_case():
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
