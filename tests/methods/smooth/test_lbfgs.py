"""L-BFGS: its memory, and how it ends."""

import numpy as np
import smooth_drive as sd

from banach.core.method import Refusal
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.lbfgs import Lbfgs


def test_a_step_evaluates_about_once():
    problem = sd.load("logistic:20")
    method = Lbfgs.suggest(problem, problem.facts())
    assert not isinstance(method, Refusal) and method.memory == 10
    xs, state, _ = sd.drive(method, problem, 30)
    calls = int(method.calls(state)["grad"])
    assert 31 <= calls <= 36
    start = np.linalg.norm(problem.grad(np.zeros(20)))
    assert np.linalg.norm(problem.grad(xs[-1])) < 1e-10 * start


def test_the_objective_is_traced_once():
    assert sd.traces(Lbfgs(3), sd.sinh_bowl(), "sinh") == 1


def test_it_is_stuck_at_the_noise_floor_only():
    state, steps = sd.until_stuck(Lbfgs(10), sd.noisy())
    assert bool(state.stuck) and steps < 200
    start = np.linalg.norm(sd.noisy().grad(sd.noisy().x0))
    assert np.linalg.norm(state.g) < 1e-7 * start
    # A failed search first drops the pairs, then the gradient gets its chance.
    assert int(state.known.count) == 0


def test_at_a_stationary_start_it_is_stuck_without_evaluating():
    problem = Smooth(lambda x: x @ x, np.zeros(3))
    state, steps = sd.until_stuck(Lbfgs(3), problem)
    assert steps == 1 and int(state.counts["grad"]) == 1


def test_scaling_the_unknowns_pytrees_and_float32():
    x0 = {"a": np.float32([-1.2]), "b": np.float32([[1.0]])}

    def f(x):
        a, b = x["a"][0], x["b"][0, 0]
        return 100 * (b - a**2) ** 2 + (1 - a) ** 2

    xs, state, _ = sd.drive(Lbfgs(5), Smooth(f, x0), 60)
    assert state.x["b"].dtype == np.float32 and state.x["b"].shape == (1, 1)
    np.testing.assert_allclose(xs[-1], [1, 1], atol=1e-3)
