"""How the methods that are a direction, or a matrix of one rank, end and fail."""

import jax.numpy as jnp
import numpy as np
import pytest
import smooth_drive as sd

from banach import catalogue
from banach.kinds.smooth.problem import Smooth

NAMES = ("bfgs", "dfp", "sr1", "barzilai_borwein", "polak_ribiere", "hager_zhang")


def made(name, problem):
    return catalogue.load_method(name).suggest(problem, problem.facts())


@pytest.mark.parametrize("name", NAMES)
def test_at_a_stationary_start_it_is_stuck_at_once(name):
    problem = Smooth(lambda x: x @ x, np.zeros(3))
    method = made(name, problem)
    state, steps = sd.until_stuck(method, problem)
    assert steps == 1 and int(method.calls(state)["value"]) <= 2
    np.testing.assert_array_equal(method.point(state).x, 0)


@pytest.mark.parametrize("name", NAMES)
def test_where_values_are_noise_it_ends_near_the_solution(name):
    """Values of the function lose four digits: nothing walks there for ever."""
    problem = sd.noisy()
    method = made(name, problem)
    state, _ = sd.until_stuck(method, problem)
    start = np.linalg.norm(problem.grad(problem.x0))
    assert np.linalg.norm(state.g) < 1e-6 * start
    assert np.isfinite(np.asarray(state.x)).all()


@pytest.mark.parametrize("name", NAMES)
def test_pytrees_and_float32(name):
    x0 = {"a": np.float32([-1.2]), "b": np.float32([[1.0]])}

    def f(x):
        a, b = x["a"][0], x["b"][0, 0]
        return 10 * (b - a**2) ** 2 + (1 - a) ** 2

    problem = Smooth(f, x0)
    xs, state, _ = sd.drive(made(name, problem), problem, 80)
    assert state.x["b"].dtype == np.float32 and state.x["b"].shape == (1, 1)
    np.testing.assert_allclose(xs[-1], [1, 1], atol=3e-3)


@pytest.mark.parametrize("name", NAMES)
def test_outside_its_domain_a_function_is_left_at_once(name):
    """-log is NaN where a first step of length 1 would end."""
    problem = Smooth(_barrier, np.full(2, 0.01))
    method = made(name, problem)
    xs, _, _ = sd.drive(method, problem, 60)
    assert np.isfinite(np.asarray(xs)).all()
    np.testing.assert_allclose(xs[-1], 0.5, atol=1e-5)


def _barrier(x):
    return -jnp.sum(jnp.log(x) + jnp.log(1 - x))
