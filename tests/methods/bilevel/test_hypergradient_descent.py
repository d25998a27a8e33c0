"""Hypergradient descent: the accuracy of its inner solves, and its units."""

import jax
import numpy as np
import pytest
from reference import _bilevel as case

from banach.methods.bilevel.hypergradient_descent import HypergradientDescent
from banach.parts import bilevel_solves

KEYS = jax.random.split(jax.random.key(0), 16)


def test_the_inner_accuracy_follows_the_schedule():
    p = case.problem()
    method = HypergradientDescent(step_size=1.0, tolerance=0.5, decay=0.5)
    _, states = case.iterates(p, method, KEYS)
    for k, s in enumerate(states):
        z = (s.x, s.y)
        if bool(s.refresh):
            continue
        assert float(s.tolerance) == pytest.approx(0.5 ** (k + 1))
        assert np.linalg.norm(p.lower_grad(z)) <= 0.5 ** (k + 1) * 1.001
        left = p.lower_hvp(z, s.v) - p.upper_grad(z)[1]
        assert np.linalg.norm(left) <= 0.5 ** (k + 1) * 1.001


def test_loose_solves_at_first_still_end_at_the_solution():
    p = case.problem()
    method = HypergradientDescent(step_size=1.0, tolerance=10.0)
    xs, _ = case.iterates(p, method, jax.random.split(jax.random.key(0), 200))
    assert np.linalg.norm(case.phi_grad(xs[-1])[0]) < 1e-9


def test_the_lower_solver_counts_and_converges_from_afar():
    p = case.single()
    out = bilevel_solves.solve_lower(p, case.X0, np.full(case.P, 1e3), 1e-9)
    exact = case.phi_grad(case.X0, [0])[1][0]
    np.testing.assert_allclose(out.y, exact, atol=1e-9)
    assert float(out.norm) <= 1e-9
    assert 2 <= int(out.grads) <= 20 and int(out.products) > int(out.grads) - 2


def test_curvatures_at_the_start():
    p = case.problem()
    H = [case.A[i].T @ case.A[i] / case.N + np.diag(np.exp(case.X0)) for i in range(4)]
    top = max(np.linalg.eigvalsh(h)[-1] for h in H)
    assert float(bilevel_solves.lower_curvature(p)) == pytest.approx(top, rel=1e-2)
    g = case.phi_grad(case.X0)[0]
    d, h = g / np.linalg.norm(g), 1e-5
    bent = (case.phi_grad(case.X0 + h * d)[0] - case.phi_grad(case.X0 - h * d)[0]) / h
    want = max(np.linalg.norm(bent) / 2, np.linalg.norm(g) / 3**0.5)
    assert float(bilevel_solves.upper_curvature(p)) == pytest.approx(want, rel=1e-2)
