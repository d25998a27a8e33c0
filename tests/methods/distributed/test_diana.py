"""DIANA: what is learned, what is sent, and who may compress."""

import numpy as np
import pytest
from reference import _workers as case

import banach as bn
from banach.methods.distributed._compressors import Quantised, RandK, TopK
from banach.methods.distributed.diana import Diana


def test_shifts_learn_the_gradients_at_the_solution():
    s = case.states(Diana.of(Quantised(1), case.L, case.D, case.W), 4000)
    np.testing.assert_allclose(s.x[-1], case.SOLUTION, rtol=1e-10, atol=1e-11)
    own = case.local_grad(case.SOLUTION)
    np.testing.assert_allclose(s.h[-1], own, rtol=1e-8, atol=1e-8)


def test_messages_are_values_alone():
    r = bn.solve(case.problem(), Diana(0.01, 0.2, RandK(1)), max_steps=10, tol=1e-12)
    assert r.sent == {"up": 3 * 10 * 64 // 8, "down": 3 * 10 * 4 * 8}


def test_a_biased_compressor_is_refused():
    with pytest.raises(bn.Misuse, match="must be a Unbiased"):
        Diana(0.01, 0.2, TopK(1))
