"""Sinkhorn-Newton: starts that underflow, its end, and what it keeps."""

import numpy as np
import pytest
from reference.sinkhorn import M, N, transport

from banach.claims import runs
from banach.claims.transport._measure import marginal_error
from banach.kinds.transport.problem import Transport
from banach.methods.transport.sinkhorn_newton_sparse import SinkhornNewtonSparse


@pytest.mark.parametrize("decay", [0.25, 1.0])
def test_a_start_whose_plan_underflows_is_solved(decay):
    method = SinkhornNewtonSparse(sweeps=1, keep=M * N, decay=decay)
    problem, _ = transport(1e-4)
    end = runs.until(problem, method, marginal_error, 1e-11, 60, relative=False)
    assert end.reached and end.calls["transform"] == (2 if decay == 1 else 0)


def test_where_nothing_is_left_to_gain_it_says_so():
    method = SinkhornNewtonSparse(sweeps=3, keep=M * N)
    problem, _ = transport()
    end = runs.until(problem, method, marginal_error, 0.0, 60, relative=False)
    assert 4 < end.steps < 60 and end.ratio < 1e-14


def test_suggest_keeps_everything_only_where_it_fits():
    small, _ = transport()
    assert SinkhornNewtonSparse.suggest(small, small.facts()).keep == M * N
    wide = Transport.points(np.zeros((5000, 1)), np.zeros((1000, 1)) + 1, eps=1.0)
    keep = SinkhornNewtonSparse.suggest(wide, wide.facts()).keep
    assert keep == 5000 * 1000 // 20
