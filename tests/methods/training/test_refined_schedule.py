"""Refined schedules as a method: its reference, its rounds, and its end."""

import jax
import numpy as np
import pytest
import sum_case as case
from reference import refined_schedule as reference

import banach as bn
from banach.methods.training.refined_schedule import RefinedSchedule


def test_iterates_equal_the_reference_on_the_same_draws():
    method = RefinedSchedule(0.7, steps=10, batch=5, rounds=3)
    xs, draws, _ = case.drive(case.problem(), method, 30)
    theirs = reference.iterates(case.term_gradients, case.X0, draws, peak=0.7, steps=10)
    np.testing.assert_allclose(xs, theirs, rtol=1e-10)


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


def test_adam_records_l1_norms_and_forgets_its_moments_between_runs():
    method = RefinedSchedule(0.05, steps=6, base="adam", batch=8)
    _, draws, states = case.drive(case.problem(), method, 7)
    x = case.X0
    g = case.term_gradients(x)[draws[0]].mean(axis=0)
    assert float(states[5].norms[0]) == pytest.approx(np.abs(g).sum(), rel=1e-10)
    # The first step of Adam is the sign of its gradient.
    again = np.asarray(states[6].x)
    g = case.term_gradients(x)[draws[6]].mean(axis=0)
    want = x - 0.05 * float(states[6].eta[0]) * np.sign(g)
    np.testing.assert_allclose(again, want, rtol=1e-5)


def test_after_its_rounds_it_is_stuck_and_says_so():
    r = bn.solve(
        case.problem(), RefinedSchedule(0.5, steps=20, batch=10, rounds=2), tol=1e-12
    )
    assert r.status == "stalled" and r.calls == {"stochastic_grad": r.steps * 10}
    assert 40 <= r.steps


def test_the_default_comes_from_what_is_known():
    p = case.problem()
    method = RefinedSchedule.suggest(p, p.facts())
    assert method.base == "sgd" and float(method.peak) == pytest.approx(1 / case.L)
    q = case.problem(L=None)
    assert RefinedSchedule.suggest(q, q.facts()).base == "adam"


def test_bad_settings_are_refused_with_the_cure():
    with pytest.raises(bn.Misuse, match="base must be one of"):
        RefinedSchedule(0.1, steps=5, base="rmsprop")
    with pytest.raises(bn.Misuse, match="steps must be an integer >= 2"):
        RefinedSchedule(0.1, steps=1)


def test_it_works_under_vmap():
    p = case.problem()

    def last(peak):
        one = RefinedSchedule(peak, steps=6, batch=5)
        out = bn.run(p, one, check=bn.FullSum(), tol=1e-3, max_steps=6)
        return out.carry.state.x

    both = jax.jit(jax.vmap(last))(np.array([0.2, 0.7]))
    for peak, x in zip((0.2, 0.7), both, strict=True):
        np.testing.assert_allclose(x, last(np.array(peak)), rtol=1e-9)
