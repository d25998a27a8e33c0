"""How methods with a direction or a model end and fail, and how far they descend."""

import jax.numpy as jnp
import numpy as np
import pytest
import smooth_drive as sd

from banach import catalogue
from banach.core.method import Refusal
from banach.kinds.smooth.problem import Smooth

NAMES = (
    "bfgs", "dfp", "sr1", "lbfgs", "newton_cg", "barzilai_borwein", "nonlinear_cg",
    "polak_ribiere", "hager_zhang",
)  # fmt: skip
DESCENT = {"nonlinear_cg": 7 / 8, "hager_zhang": 7 / 8, "polak_ribiere": 0.01}


def made(name, problem):
    return catalogue.load_method(name).suggest(problem, problem.facts())


@pytest.mark.parametrize("name", (*NAMES, "gradient_descent"))
def test_at_a_stationary_start_it_is_stuck_at_once(name):
    problem = Smooth(lambda x: x @ x, np.zeros(3))
    method = made(name, problem)
    state, steps = sd.until_stuck(method, problem)
    assert steps == 1
    if method.card.cost is None:  # elsewhere a step costs what the card says
        assert int(method.calls(state)["value"]) <= 2
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
    if name == "lbfgs":
        # A failed search first drops the pairs, then the gradient gets its chance.
        assert int(state.known.count) == 0


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


@pytest.mark.parametrize("name", DESCENT)
def test_every_conjugate_direction_descends_by_its_share(name):
    """By a poor search, so that conjugacy is lost and the bound has work to do."""
    problem = sd.load("powell_singular:40")
    _, _, states = sd.drive(catalogue.load_method(name)(0.9), problem, 60)
    for s in states:
        g, d = np.asarray(s.g), np.asarray(s.known.d)
        assert g @ d <= -DESCENT[name] * (g @ g) * (1 - 1e-9)


@pytest.mark.parametrize("name", ["gradient_descent", "accelerated_gradient"])
def test_a_fixed_step_ends_where_rounding_ends_it(name):
    bowl = sd.bowl()
    method = catalogue.load_method(name)(0.25, name == "accelerated_gradient")
    state, steps = sd.until_stuck(method, bowl.problem, 3000)
    assert bool(state.stuck) and steps < 3000
    np.testing.assert_allclose(state.x, bowl.solution, atol=1e-13)


def test_gradient_descent_without_L_and_values_refuses_with_the_cure():
    class OnlyGradient:
        def oracles(self):
            return frozenset({"grad"})

    facts = sd.load("beale").facts()
    out = catalogue.load_method("gradient_descent").suggest(OnlyGradient(), facts)
    assert isinstance(out, Refusal) and "declare L" in out.cure
