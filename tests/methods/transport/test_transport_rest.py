"""Sinkhorn and Sinkhorn-Newton: they are stuck only where nothing moves."""

import pytest
from reference._transport import M, N, transport

from banach.claims.transport._measure import until
from banach.methods.transport.sinkhorn import Sinkhorn
from banach.methods.transport.sinkhorn_newton_sparse import SinkhornNewtonSparse

METHODS = {
    "sweeps": (Sinkhorn(), 0.5),
    "newton": (SinkhornNewtonSparse(sweeps=3, keep=M * N), 0.02),
}


@pytest.mark.parametrize(("method", "eps"), METHODS.values(), ids=METHODS)
def test_it_is_stuck_only_where_nothing_moves(method, eps):
    problem, _ = transport(eps)
    end = until(problem, method, 0.0, 300)
    assert 3 < end.steps < 300 and end.ratio < 1e-14


def test_a_large_eps_on_the_way_down_is_not_the_end():
    slow = Sinkhorn(decay=0.999, first=1e6)
    assert until(transport()[0], slow, -1.0, 300).steps == 300
