"""Graphs and their weights, and what neighbours send."""

import numpy as np
import pytest
from reference import _workers as case

import banach as bn
from banach.methods.distributed import _graphs
from banach.methods.distributed.gradient_tracking import GradientTracking


@pytest.mark.parametrize("name", _graphs.NAMES)
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_weights_average_over_neighbours_alone(name, workers):
    W, A = _graphs.metropolis(name, workers), _graphs.adjacency(name, workers)
    np.testing.assert_allclose(W.sum(axis=0), 1, atol=1e-14)
    assert np.array_equal(W, W.T) and np.all(W >= 0)
    assert np.array_equal(W - np.diag(np.diag(W)) > 0, A)
    assert _graphs.slowest(name, workers) < 1


def test_a_ring_mixes_as_its_cosines_say():
    angle = np.cos(2 * np.pi / 9)
    assert _graphs.slowest("ring", 9) == pytest.approx((1 + 2 * angle) / 3)
    assert _graphs.slowest("complete", 9) == pytest.approx(0, abs=1e-14)


def test_all_workers_end_at_the_solution():
    s = case.states(GradientTracking(0.2 / case.L, "line"), 3000)
    for x in s.own[-1]:
        np.testing.assert_allclose(x, case.SOLUTION, rtol=1e-9, atol=1e-10)


def test_neighbours_send_two_vectors():
    method = GradientTracking(0.01, "line")
    r = bn.solve(case.problem(), method, max_steps=10, tol=1e-12)
    assert r.sent == {"across": 4 * 10 * 2 * 32} and "sent" in str(r)
