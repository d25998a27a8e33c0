"""CG_DESCENT: guaranteed descent, and how it ends."""

import numpy as np
import smooth_drive as sd

from banach.methods.smooth.nonlinear_cg import NonlinearCg


def test_every_direction_descends_by_seven_eighths():
    for name in ("rosenbrock:40", "powell_singular:40", "dixon_price:10"):
        problem = sd.load(name)
        # A poor search, so that conjugacy is lost and the bound has work to do.
        _, _, states = sd.drive(NonlinearCg(0.9), problem, 60)
        for s in states:
            g, d = np.asarray(s.g), np.asarray(s.known.d)
            assert g @ d <= -7 / 8 * (g @ g) * (1 - 1e-9)


def test_a_small_quadratic_ends_in_few_steps():
    bowl = sd.bowl()
    xs, state, _ = sd.drive(NonlinearCg(0.1), bowl.problem, 30)
    np.testing.assert_allclose(xs[-1], bowl.solution, atol=1e-10)
    assert int(state.counts["grad"]) <= 90


def test_the_objective_is_traced_once():
    assert sd.traces(NonlinearCg(0.1), sd.sinh_bowl(), "sinh") == 1


def test_it_is_stuck_at_the_noise_floor_only():
    problem = sd.noisy()
    method = NonlinearCg.suggest(problem, problem.facts())
    state, steps = sd.until_stuck(method, problem)
    assert bool(state.stuck) and steps < 300
    assert np.linalg.norm(state.g) < 1e-6 * np.linalg.norm(problem.grad(problem.x0))


def test_a_start_at_zero_and_a_stationary_start():
    problem = sd.load("logistic:20")
    xs, _, _ = sd.drive(NonlinearCg(0.1), problem, 40)
    start = np.linalg.norm(problem.grad(np.zeros(20)))
    assert np.linalg.norm(problem.grad(xs[-1])) < 1e-9 * start
    flat = sd.Smooth(lambda x: x @ x, np.zeros(3))
    state, steps = sd.until_stuck(NonlinearCg(0.1), flat)
    assert steps <= 2 and int(state.counts["grad"]) == 1
