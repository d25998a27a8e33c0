"""Lazy Newton: saddles, and where a run ends."""

import jax.numpy as jnp
import numpy as np
import pytest
import smooth_drive as sd
from reference._newton import logistic

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.lazy_newton import LazyNewton
from banach.parts.newton import Cubic, Quadratic, Secant


def test_the_cubic_model_leaves_an_exact_saddle():
    problem = Smooth(
        lambda x: jnp.sum(x**4 / 4) - (x[0] ** 2 - x[1] ** 2) / 2, np.zeros(2)
    )
    xs, _, _ = sd.drive(LazyNewton(Cubic(), period=2), problem, 60)
    assert abs(abs(xs[-1][0]) - 1) < 1e-8
    assert abs(xs[-1][1]) < 1e-4


@pytest.mark.parametrize("model", [Cubic(), Quadratic(), Secant()])
def test_stuck_at_the_resolution_and_not_before(model):
    problem, oracles = logistic()
    state, steps = sd.until_stuck(LazyNewton(model, period=1000), problem, 80)
    assert bool(state.stuck) and steps < 80
    first = np.linalg.norm(oracles.grad(problem.x0))
    assert np.linalg.norm(oracles.grad(np.asarray(state.x))) <= 1e-12 * first
