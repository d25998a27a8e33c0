"""Exact trust-region Newton: reference, saddle points, invariance, counts."""

import itertools

import jax
import numpy as np
import smooth_drive as sd
from reference import trust_region_newton as reference

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.trust_region_newton import TrustRegionNewton


def test_iterates_equal_the_reference():
    # The second start has an indefinite Hessian, where the eigenvectors serve.
    for x0 in ([-1.2, 1.0, -0.5], [0.1, 1.0, 0.9]):
        problem = Smooth(sd.load("rosenbrock:3").fun.narrow, np.array(x0))
        ours, _, states = sd.drive(TrustRegionNewton(0.3), problem, 9)
        theirs = reference.iterates(sd.oracles(problem), np.array(x0), 9, radius=0.3)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    assert len({float(s.radius) for s in states}) > 2


def test_a_rejected_step_keeps_the_hessian_and_the_point():
    problem = sd.load("rosenbrock")
    method = TrustRegionNewton.suggest(problem, problem.facts())
    _, state, states = sd.drive(method, problem, 20)
    kept = sum(np.array_equal(a.x, b.x) for a, b in itertools.pairwise(states))
    assert kept >= 1
    assert int(state.hessians) == 20 - kept + int(not bool(state.stale))
    assert int(state.evaluations) == 21


def test_it_leaves_a_saddle_in_the_hard_case():
    # At y = 0 the gradient has no part along the negative curvature.
    problem = Smooth(lambda x: x[0] ** 2 + (x[1] ** 2 - 1) ** 2, np.array([1.0, 0.0]))
    method = TrustRegionNewton.suggest(problem, problem.facts())
    xs, _, _ = sd.drive(method, problem, 15)
    np.testing.assert_allclose(np.abs(xs[-1]), [0, 1], atol=1e-10)
    start = Smooth(lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, np.zeros(2))
    xs, _, _ = sd.drive(method, start, 15)
    np.testing.assert_allclose(np.abs(xs[-1]), [0, np.sqrt(0.5)], atol=1e-10)


def test_the_tail_is_quadratic():
    problem = sd.load("logistic:20")
    method = TrustRegionNewton.suggest(problem, problem.facts())
    xs, _, _ = sd.drive(method, problem, 9)
    sizes = [np.linalg.norm(problem.grad(x)) for x in [np.zeros(20), *xs]]
    tail = [s for s in sizes if 1e-9 * sizes[0] < s < 1e-1 * sizes[0]]
    assert len(tail) >= 2
    assert all(b <= 5 * a**2 / sizes[0] for a, b in itertools.pairwise(tail))
    assert sizes[-1] < 1e-15


def test_full_newton_steps_are_affine_invariant():
    problem = sd.load("logistic:20")
    A = np.eye(20) + np.triu(np.full((20, 20), 0.3), 1)
    turned = Smooth(lambda z: problem.value(A @ z), np.zeros(20))
    method = TrustRegionNewton(np.inf)
    xs, _, _ = sd.drive(method, problem, 5)
    zs, _, _ = sd.drive(method, turned, 5)
    np.testing.assert_allclose([A @ z for z in zs], xs, rtol=1e-9, atol=1e-9)


def test_it_is_stuck_at_the_noise_floor_only():
    problem = sd.noisy()
    state, steps = sd.until_stuck(TrustRegionNewton(np.inf), problem)
    assert bool(state.stuck) and steps < 300
    assert np.linalg.norm(state.g) < 1e-7 * np.linalg.norm(problem.grad(problem.x0))


def test_each_oracle_is_traced_once():
    problem = sd.sinh_bowl()
    hessian = str(jax.make_jaxpr(problem.hess)(problem.x0)).count(" sinh ")
    assert sd.traces(TrustRegionNewton(1.0), problem, "sinh") == 1 + hessian
