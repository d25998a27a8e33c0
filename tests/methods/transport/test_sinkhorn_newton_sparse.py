"""Sinkhorn-Newton: starts that underflow."""

import pytest
from reference._transport import M, N, transport

from banach.claims.transport._measure import until
from banach.methods.transport.sinkhorn_newton_sparse import SinkhornNewtonSparse


@pytest.mark.parametrize("decay", [0.25, 1.0])
def test_a_start_whose_plan_underflows_is_solved(decay):
    method = SinkhornNewtonSparse(sweeps=1, keep=M * N, decay=decay)
    end = until(transport(1e-4)[0], method, 1e-11, 60)
    assert end.reached and end.calls["transform"] == (2 if decay == 1 else 0)
