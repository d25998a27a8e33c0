"""Gradient-normalised Newton by products, and with what suggests itself."""

import jax.numpy as jnp
import numpy as np
import smooth_drive as sd

from banach.kinds.least_squares.problem import least_squares
from banach.methods.smooth._hessian_models import GaussNewton, MatrixFree
from banach.methods.smooth.gradient_normalized_newton import GradientNormalizedNewton


def residual(x):
    return jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])


def test_gauss_newton_and_indefinite_products_on_rosenbrock():
    problem = least_squares(residual, np.array([-1.2, 1.0, -1.2]))
    suggested = GradientNormalizedNewton.suggest(problem, problem.facts())
    assert isinstance(suggested.curvature, GaussNewton)
    for operator in (GaussNewton(), MatrixFree()):
        method = GradientNormalizedNewton(operator)
        xs, last, states = sd.drive(method, problem, 60)
        np.testing.assert_allclose(xs[-1], np.ones(3), atol=1e-8)
        assert np.all(np.diff([float(s.f) for s in states]) <= 0)
    assert int(method.calls(last)["hvp"]) > int(last.evaluations)
    assert float(last.residual) <= 1.1e-2
