"""Gradient descent: its reference, its exact rate, and the search."""

import itertools

import jax.numpy as jnp
import numpy as np
import smooth_drive as sd
from reference import gradient_descent as reference

from banach.core.method import Refusal
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.gradient_descent import GradientDescent


def test_iterates_equal_the_reference():
    bowl = sd.bowl()
    method = GradientDescent.suggest(bowl.problem, bowl.problem.facts())
    assert not method.search and float(method.step_size) == 0.25
    ours, state, _ = sd.drive(method, bowl.problem, 12)
    theirs = reference.iterates(bowl.oracles, bowl.x0, 12, step_size=0.25)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    assert method.calls(state) == {"grad": 13}


def test_both_rates_hold_at_every_iterate():
    bowl = sd.bowl()
    xs, _, _ = sd.drive(GradientDescent(0.25, search=False), bowl.problem, 80)
    best = bowl.oracles.value(bowl.solution)
    c = bowl.constants
    for t, x in enumerate([bowl.x0, *xs]):
        gap = bowl.oracles.value(x) - best
        assert gap <= GradientDescent.card.rate(c, t) * (1 + 1e-12)
        distance = np.linalg.norm(x - bowl.solution)
        assert distance <= (1 - c.mu / c.L) ** t * c.radius * (1 + 1e-12)


def huber(width):
    def f(x):
        size = jnp.sqrt(jnp.sum(x**2))
        return jnp.where(size > width, width * size - width**2 / 2, size**2 / 2)

    return f


def test_the_rate_is_attained_by_the_worst_function():
    n = 7
    problem = Smooth(huber(1 / (2 * n + 1)), np.array([1.0]), L=1.0, convex=True)
    xs, _, _ = sd.drive(GradientDescent(1.0, search=False), problem, n)
    # L = radius = 1: theorem 2 of Drori and Teboulle is an equality here.
    np.testing.assert_allclose(problem.value(xs[-1]), 1 / (4 * n + 2), rtol=1e-12)


def test_the_search_meets_the_conditions_it_promises():
    problem = sd.load("rosenbrock")
    method = GradientDescent.suggest(problem, problem.facts())
    assert method.search
    xs, state, states = sd.drive(method, problem, 30)
    for before, after in itertools.pairwise(states):
        g, d = np.asarray(before.g), -np.asarray(before.g)
        step = (np.asarray(after.x) - before.x) @ d / (d @ d)
        assert after.f <= before.f + 0.1 * step * (g @ d) + 1e-12
        assert np.asarray(after.g) @ d >= 0.9 * (g @ d)
    assert problem.value(xs[-1]) == state.f < 4.5
    counted = method.calls(state)
    assert counted["value"] == counted["grad"] > 30


def test_the_objective_is_traced_once():
    for search in (False, True):
        method = GradientDescent(0.1, search)
        assert sd.traces(method, sd.sinh_bowl(), "sinh") == 1


def test_it_ends_where_rounding_ends_it():
    bowl = sd.bowl()
    state, steps = sd.until_stuck(
        GradientDescent(0.25, search=False), bowl.problem, 3000
    )
    assert bool(state.stuck) and steps < 3000
    np.testing.assert_allclose(state.x, bowl.solution, atol=1e-13)
    state, _ = sd.until_stuck(GradientDescent(1.0, search=True), bowl.problem, 1000)
    np.testing.assert_allclose(state.x, bowl.solution, atol=1e-13)
    flat = Smooth(lambda x: x @ x, np.zeros(3))
    state, steps = sd.until_stuck(GradientDescent(1.0, search=True), flat)
    assert steps == 1 and int(state.counts["grad"]) == 1


def test_without_L_and_values_it_refuses_with_the_cure():
    class OnlyGradient:
        def oracles(self):
            return frozenset({"grad"})

    out = GradientDescent.suggest(OnlyGradient(), sd.load("beale").facts())
    assert isinstance(out, Refusal) and "declare L" in out.cure
