"""Steihaug's Newton-CG: reference, superlinear tail, counts, pytrees."""

import jax.numpy as jnp
import numpy as np
import smooth_drive as sd
from reference import newton_cg as reference

from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.newton_cg import NewtonCg


def test_iterates_equal_the_reference():
    # The second start meets negative curvature.
    for x0 in ([-1.2, 1.0, -0.5], [0.1, 1.0, 0.9]):
        problem = Smooth(sd.load("rosenbrock:3").fun.narrow, np.array(x0))
        ours, _, _ = sd.drive(NewtonCg(0.3, 50), problem, 12)
        theirs = reference.iterates(sd.oracles(problem), np.array(x0), 12, radius=0.3)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


def test_the_accuracy_follows_the_gradient():
    problem = sd.load("logistic:20")
    _, state, states = sd.drive(NewtonCg(1.0, 40), problem, 10)
    sizes = np.array([np.linalg.norm(s.g) for s in states])
    products = np.diff([int(s.products) for s in states])
    assert products[0] <= 5 < products[-3]
    used = sizes > 1e-12 * sizes[0]
    ratios = (sizes[1:] / sizes[:-1])[used[1:]]
    # Superlinear: each step gains more than the one before, at the end.
    assert ratios[-1] < 1e-2 * ratios[0]
    assert sizes[-1] < 1e-12 * sizes[0]
    assert int(state.evaluations) == 11


def test_inner_steps_bound_the_products():
    problem = sd.load("quadratic:20")
    _, state, _ = sd.drive(NewtonCg(100.0, 3), problem, 10)
    assert int(state.products) <= 30


def test_it_works_on_a_pytree_at_large_scale():
    def f(x):
        flat = jnp.concatenate([x["a"], x["b"].ravel()])
        return jnp.sum(100 * (flat[1:] - flat[:-1] ** 2) ** 2 + (1 - flat[:-1]) ** 2)

    x0 = {"a": np.zeros(10), "b": np.zeros((5, 6))}
    problem = Smooth(f, x0)
    method = NewtonCg.suggest(problem, problem.facts())
    xs, state, _ = sd.drive(method, problem, 200)
    np.testing.assert_allclose(xs[-1], np.ones(40), atol=1e-9)
    assert method.calls(state)["hvp"] < 2500


def test_it_is_stuck_at_the_noise_floor_only():
    problem = sd.noisy()
    state, steps = sd.until_stuck(NewtonCg(1.0, 20), problem)
    assert bool(state.stuck) and steps < 300
    assert np.linalg.norm(state.g) < 1e-7 * np.linalg.norm(problem.grad(problem.x0))
