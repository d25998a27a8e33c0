"""SGD: batches that do not fit, and sums that are none, are told the cure."""

import pytest
import sum_case as case

import banach as bn
from banach.methods.stochastic.sgd import Sgd


def test_a_batch_larger_than_the_sum_is_refused():
    with pytest.raises(bn.Misuse, match="1 <= batch <= 40"):
        bn.solve(case.problem(), Sgd(0.1, batch=41))


def test_problems_without_terms_are_told_the_cure():
    with pytest.raises(bn.Misuse, match="as_finite_sum"):
        bn.solve("rosenbrock", "sgd")
