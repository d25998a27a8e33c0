"""Refined schedules as a method: its rounds, and its end."""

import numpy as np
import pytest
import sum_case as case

import banach as bn
from banach.methods.training.refined_schedule import RefinedSchedule


def test_the_second_run_starts_again_with_a_refined_schedule():
    method = RefinedSchedule(0.7, steps=12, batch=5)
    xs, _, states = case.drive(case.problem(), method, 13)
    linear = np.arange(11, -1, -1) / 11
    np.testing.assert_allclose(states[11].eta, linear, rtol=1e-12)
    norms = np.asarray(states[11].norms)
    np.testing.assert_allclose(states[12].eta, bn.refine_schedule(norms), rtol=1e-9)
    # One step from the start again; the last step of a run is 0.
    np.testing.assert_array_equal(xs[10], xs[11])
    assert np.linalg.norm(xs[12] - case.X0) < np.linalg.norm(xs[11] - case.X0)


def test_after_its_rounds_it_is_stuck_and_says_so():
    r = bn.solve(
        case.problem(), RefinedSchedule(0.5, steps=20, batch=10, rounds=2), tol=1e-12
    )
    assert r.status == "stalled" and r.calls == {"stochastic_grad": r.steps * 10}
    assert 40 <= r.steps


def test_bad_settings_are_refused_with_the_cure():
    with pytest.raises(bn.Misuse, match="base must be one of"):
        RefinedSchedule(0.1, steps=5, base="rmsprop")
    with pytest.raises(bn.Misuse, match="steps must be an integer >= 2"):
        RefinedSchedule(0.1, steps=1)
