"""Sobolev gradient flow: a Poisson problem is one step."""

import jax
import numpy as np
from reference import sobolev_gradient_flow as reference

import banach as bn
from banach.methods.sciml.sobolev_gradient_flow import SobolevGradientFlow


def test_a_linear_poisson_problem_is_solved_in_one_step():
    load = np.random.default_rng(6).standard_normal((9, 9))
    p = bn.EllipticEnergy(lambda s: s / 2, load, lower=1.0, upper=1.0)
    method, key = SobolevGradientFlow(1.0, 0.0), jax.random.key(0)
    u = method.step(p, method.init(p, p.start(), key), key).u
    want = np.linalg.solve(reference.laplacian(9, 2), load.ravel()).reshape(9, 9)
    np.testing.assert_allclose(u, want, rtol=1e-10, atol=1e-14)
