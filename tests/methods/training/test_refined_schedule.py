"""Refined schedules as a method: the end after its rounds."""

import numpy as np
import sum_case as case

import banach as bn


def test_after_its_rounds_it_is_stuck_and_says_so():
    method = bn.RefinedSchedule(0.5, steps=20, batch=10, rounds=2)
    r = bn.solve(case.problem(), method, tol=1e-12)
    assert r.status == "stalled" and r.calls == {"stochastic_grad": 40 * 10}
    assert 40 <= r.steps
    # However late it is looked at, the answer is where its last run ended.
    late, last = (
        bn.solve(case.problem(), method, tol=1e-12, max_steps=n).carry.state
        for n in (95, 40)
    )
    np.testing.assert_allclose(late.x, last.x, rtol=1e-12)
    assert late.t == last.t == 40
