"""Frank-Wolfe: the domain is left by the first step of the plain method alone."""

import numpy as np
from reference import frank_wolfe as reference


def test_every_step_of_the_case_stays_where_the_plain_first_one_leaves():
    problem, oracles = reference.PORTFOLIO
    x0 = problem.start().x
    xs = reference.iterates(oracles, x0, 60)
    values = [oracles.value(x) for x in (x0, *xs)]
    assert np.all(np.isfinite(values)) and np.all(np.diff(values) <= 0)
    assert not np.isfinite(oracles.value(oracles.lmo(oracles.grad(x0))))
    # Some are refused later too, because f rises.
    assert 5 < np.sum(np.diff(values) == 0) < 55
