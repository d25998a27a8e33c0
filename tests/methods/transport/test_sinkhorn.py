"""Sinkhorn: the marginals of a step, and when it is stuck."""

import numpy as np
from reference.sinkhorn import B, transport

from banach.claims import runs
from banach.claims.transport._measure import marginal_error, plan
from banach.methods.transport.sinkhorn import Sinkhorn


def test_each_step_leaves_the_columns_exact():
    for P in runs.trace(transport()[0], Sinkhorn(), 5, P=plan)["P"][1:]:
        np.testing.assert_allclose(P.sum(0), B, rtol=1e-12)


def test_it_is_stuck_only_where_nothing_moves():
    problem, _ = transport(0.5)
    end = runs.until(problem, Sinkhorn(), marginal_error, 0.0, 300, relative=False)
    assert 3 < end.steps < 300 and end.ratio < 1e-14
    # A large eps on the way down is not the end.
    slow = Sinkhorn(decay=0.999, first=1e6)
    assert runs.until(problem, slow, marginal_error, -1.0, 300).steps == 300
