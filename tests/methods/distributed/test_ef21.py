"""EF21: random compressors, and what is sent."""

import numpy as np
from reference import _workers as case

import banach as bn
from banach.methods.distributed._compressors import RandK, TopK
from banach.methods.distributed.ef21 import Ef21


def test_a_random_compressor_converges_exactly():
    x = case.states(Ef21.of(RandK(2), case.L, case.L, case.D), 3000).x[-1]
    np.testing.assert_allclose(x, case.SOLUTION, rtol=1e-10, atol=1e-11)


def test_the_first_message_is_compressed_too():
    r = bn.solve(case.problem(), Ef21(0.01, TopK(1)), max_steps=10, tol=1e-12)
    assert r.sent == {"up": 3 * 11 * (64 + 2) // 8, "down": 3 * 10 * 4 * 8}
