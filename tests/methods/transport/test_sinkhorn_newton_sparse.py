"""Sinkhorn-Newton: starts that underflow, and what it keeps."""

import numpy as np
import pytest
from reference._transport import M, N, transport

from banach.claims.transport._measure import until
from banach.kinds.transport.problem import Transport
from banach.methods.transport.sinkhorn_newton_sparse import SinkhornNewtonSparse


@pytest.mark.parametrize("decay", [0.25, 1.0])
def test_a_start_whose_plan_underflows_is_solved(decay):
    method = SinkhornNewtonSparse(sweeps=1, keep=M * N, decay=decay)
    end = until(transport(1e-4)[0], method, 1e-11, 60)
    assert end.reached and end.calls["transform"] == (2 if decay == 1 else 0)


def test_suggest_keeps_everything_only_where_it_fits():
    small, _ = transport()
    assert SinkhornNewtonSparse.suggest(small, small.facts()).keep == M * N
    wide = Transport.points(np.zeros((5000, 1)), np.zeros((1000, 1)) + 1, eps=1.0)
    keep = SinkhornNewtonSparse.suggest(wide, wide.facts()).keep
    assert keep == 5000 * 1000 // 20
