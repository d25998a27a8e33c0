"""Refined schedules as a method: the end after its rounds."""

import sum_case as case

import banach as bn


def test_after_its_rounds_it_is_stuck_and_says_so():
    method = bn.RefinedSchedule(0.5, steps=20, batch=10, rounds=2)
    r = bn.solve(case.problem(), method, tol=1e-12)
    assert r.status == "stalled" and r.calls == {"stochastic_grad": r.steps * 10}
    assert 40 <= r.steps
