"""Lazy Newton: its reference, what it counts, saddles, and the tail."""

import jax.numpy as jnp
import newton_case as case
import numpy as np
import pytest
from reference import lazy_newton as reference

from banach.core.facts import Facts
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.lazy_newton import LazyNewton
from banach.parts.newton import Cubic, Quadratic, Secant

MODELS = (Cubic(), Quadratic(), Secant())


def gradients(xs):
    return np.array([np.linalg.norm(case.grad(x)) for x in xs])


@pytest.mark.parametrize("cubic", [True, False])
def test_iterates_equal_the_reference_and_hessians_are_reused(cubic):
    model = Cubic() if cubic else Quadratic()
    method = LazyNewton(model, period=3, M=2.0)
    states, xs = case.states(case.problem(), method, 10)
    theirs = reference.iterates(case.ORACLES, case.X0, 10, period=3, M=2.0, cubic=cubic)
    np.testing.assert_allclose(xs, theirs, rtol=1e-10, atol=1e-12)
    last = states[-1]
    assert int(last.hessians) == 4
    assert int(last.factorisations) == (4 if cubic else 10)
    assert {k: int(v) for k, v in method.calls(last).items()} == {
        "value": 11,
        "grad": 11,
        "hess": 4,
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_adaptive_reaches_the_rounding_error_of_the_gradient(model):
    method = LazyNewton(model, period=1000)
    states, xs = case.states(case.problem(), method, 40)
    size = gradients([case.X0, *xs])
    assert size[-1] <= 1e-13 * size[0]
    assert int(states[-1].hessians) < np.argmax(size <= 1e-10 * size[0])


def test_the_tail_is_superlinear_with_a_new_hessian_every_step():
    _, xs = case.states(case.problem(), LazyNewton(Cubic(), period=1), 9)
    size = gradients(xs)
    tail = size[size > 1e-9]
    assert tail[-1] <= 20 * tail[-2] ** 1.7


def test_the_secant_model_needs_fewer_hessians_than_a_fixed_one():
    counts = []
    for model in (Quadratic(), Secant()):
        states, xs = case.states(case.problem(), LazyNewton(model, 1000, 0.5), 30)
        done = int(np.argmax(gradients(xs) <= 1e-9))
        assert gradients(xs)[done] <= 1e-9
        counts.append((int(states[done].hessians), int(states[done].evaluations)))
    assert counts[1][0] <= counts[0][0]
    assert counts[1][1] < counts[0][1]


def test_the_cubic_model_leaves_an_exact_saddle():
    def double_well(x):
        return jnp.sum(x**4 / 4) - (x[0] ** 2 - x[1] ** 2) / 2

    problem = Smooth(double_well, np.zeros(2))
    _, xs = case.states(problem, LazyNewton(Cubic(), period=2), 60)
    assert abs(abs(xs[-1][0]) - 1) < 1e-8
    assert abs(xs[-1][1]) < 1e-4


def test_a_first_step_far_too_long_is_damped():
    def steep(x):
        return jnp.sum(jnp.sqrt(1 + x**2))

    problem = Smooth(steep, np.array([30.0, -7.0]), convex=True)
    for model in MODELS:
        states, xs = case.states(problem, LazyNewton(model, period=5), 60)
        values = np.array([float(s.f) for s in states])
        assert np.all(np.diff(values) <= 1e-12)
        assert np.linalg.norm(xs[-1]) < 1e-8


def test_suggest_follows_convexity():
    problem = case.problem()
    assert isinstance(LazyNewton.suggest(problem, problem.facts()).model, Secant)
    assert isinstance(LazyNewton.suggest(problem, Facts()).model, Cubic)
    assert LazyNewton.suggest(problem, Facts()).period == case.N


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_stuck_at_the_resolution_and_not_before(model):
    method = LazyNewton(model, period=1000)
    states, xs = case.states(case.problem(), method, 80)
    stuck = np.array([bool(method.stuck(s)) for s in states])
    first = int(np.argmax(stuck))
    assert stuck[first]
    assert gradients(xs)[first] <= 1e-12 * np.linalg.norm(case.grad(case.X0))
