"""ISTA: what its search does where f is undefined, and where rounding rules."""

import jax.numpy as jnp
import numpy as np
from drive import iterates
from reference._case import lasso

from banach.kinds.composite.problem import Composite
from banach.methods.composite.proximal_gradient import ProximalGradient
from banach.terms.norms import L1


def test_backtracking_reaches_the_noise_floor():
    problem, oracles = lasso()
    xs, state = iterates(problem, ProximalGradient(1.0, True), 2000)
    again = oracles.prox(xs[-1] - oracles.grad(xs[-1]) / oracles.L, 1 / oracles.L)
    np.testing.assert_allclose(again, xs[-1], atol=1e-14)
    # L was never driven away from the scale of the curvature by rounding.
    assert 1e-3 * oracles.L < float(state.lipschitz) < 4 * oracles.L


def test_a_trial_outside_the_domain_is_rejected():
    problem = Composite(
        lambda x: -jnp.sum(jnp.log(x)) + jnp.sum(x), L1(1.0), np.array([3.0, 0.2])
    )
    xs, _ = iterates(problem, ProximalGradient(1e-3, True), 400)
    assert all(np.all(np.isfinite(x)) and np.all(x > 0) for x in xs)
    np.testing.assert_allclose(xs[-1], 0.5, rtol=1e-10)
