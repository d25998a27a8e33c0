"""Hypergradient descent: the accuracy of its inner solves."""

import jax
import numpy as np
import pytest
from reference import _bilevel as case

from banach.methods.bilevel.hypergradient_descent import HypergradientDescent


def test_the_inner_accuracy_follows_the_schedule():
    p, keys = case.problem(), jax.random.split(jax.random.key(0), 16)
    method = HypergradientDescent(step_size=1.0, tolerance=0.5, decay=0.5)
    for k, s in enumerate(case.iterates(p, method, keys)[1]):
        z, goal = (s.x, s.made.y), 0.5 ** (k + 1)
        if bool(s.refresh):
            continue
        assert float(s.tolerance) == pytest.approx(goal)
        assert np.linalg.norm(p.lower_grad(z)) <= goal * 1.001
        left = p.lower_hvp(z, s.made.v) - p.upper_grad(z)[1]
        assert np.linalg.norm(left) <= goal * 1.001


def test_loose_solves_at_first_still_end_at_the_solution():
    method = HypergradientDescent(step_size=1.0, tolerance=10.0)
    keys = jax.random.split(jax.random.key(0), 200)
    xs, _ = case.iterates(case.problem(), method, keys)
    assert np.linalg.norm(case.phi_grad(xs[-1])[0]) < 1e-9
