"""Accelerated gradient: its reference, its rate, and what the restart is for."""

import numpy as np
import pytest
import smooth_drive as sd
from reference import accelerated_gradient as reference

from banach.core.method import Refusal
from banach.methods.smooth.accelerated_gradient import AcceleratedGradient


@pytest.mark.parametrize("restart", [False, True])
def test_iterates_equal_the_reference(restart):
    bowl = sd.bowl()
    method = AcceleratedGradient(0.25, restart)
    ours, _, states = sd.drive(method, bowl.problem, 40)
    theirs = reference.iterates(
        bowl.oracles, bowl.x0, 40, step_size=0.25, restart=restart
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    growth = np.diff([float(s.theta) for s in states])
    assert np.any(growth < 0) == restart


@pytest.mark.parametrize("restart", [False, True])
def test_the_rate_holds_at_every_iterate(restart):
    bowl = sd.bowl()
    xs, _, _ = sd.drive(AcceleratedGradient(0.25, restart), bowl.problem, 200)
    best = bowl.oracles.value(bowl.solution)
    for t, x in enumerate([bowl.x0, *xs]):
        gap = bowl.oracles.value(x) - best
        bound = AcceleratedGradient.card.rate(bowl.constants, t)
        assert gap <= bound + 1e-14
    assert best + 1e-5 * bound < bowl.oracles.value(bowl.x0)


def test_the_restart_makes_the_tail_linear():
    problem = sd.load("quadratic:20")
    gaps = []
    for restart in (False, True):
        xs, _, _ = sd.drive(AcceleratedGradient(1.0, restart), problem, 3000)
        gaps.append(np.linalg.norm(problem.grad(xs[-1])))
    assert gaps[1] < 1e-5 * gaps[0]


def test_one_gradient_a_step_and_traced_once():
    assert AcceleratedGradient.card.cost == {"grad": 1}
    assert sd.traces(AcceleratedGradient(0.1, True), sd.sinh_bowl(), "sinh") == 1


def test_it_ends_where_rounding_ends_it():
    bowl = sd.bowl()
    state, steps = sd.until_stuck(AcceleratedGradient(0.25, True), bowl.problem, 3000)
    assert steps < 3000
    np.testing.assert_allclose(state.x, bowl.solution, atol=1e-13)


def test_without_L_it_refuses_with_the_cure():
    problem = sd.load("rosenbrock")
    out = AcceleratedGradient.suggest(problem, problem.facts())
    assert isinstance(out, Refusal)
    assert out.missing == "L" and "lbfgs" in out.cure
