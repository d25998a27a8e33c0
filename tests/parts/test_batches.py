"""Batches: one that does not fit is told the cure, whichever method draws it."""

import pytest
import sum_case as case

import banach as bn
from banach.methods.stochastic.sgd import Sgd
from banach.methods.training.adadagrad import Adadagrad
from banach.methods.training.refined_schedule import RefinedSchedule

TOO_LARGE = [
    Sgd(0.1, batch=41),
    Adadagrad(0.1, 41),
    RefinedSchedule(0.1, 10, batch=41),
]


@pytest.mark.parametrize("method", TOO_LARGE, ids=lambda m: m.label())
def test_a_batch_larger_than_the_sum_is_refused(method):
    with pytest.raises(bn.Misuse, match="1 <= batch <= 40"):
        bn.solve(case.problem(), method)
