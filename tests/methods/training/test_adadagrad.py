"""AdAdaGrad: a batch that no sum can give is refused."""

import pytest
import sum_case as case

import banach as bn


def test_a_batch_larger_than_the_sum_is_refused():
    with pytest.raises(bn.Misuse, match="1 <= batch <= 40"):
        bn.solve(case.problem(), bn.Adadagrad(0.1, 41))
