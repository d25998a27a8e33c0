"""Sinkhorn: its reference, its marginals, its rate, and eps-scaling."""

import itertools

import numpy as np
import transport_case as case
from reference import sinkhorn as reference

from banach.methods.transport.sinkhorn import Sinkhorn


def test_iterates_equal_the_reference():
    ours, _ = case.iterates(case.problem(), Sinkhorn(), 30)
    theirs = reference.iterates(case.ORACLES, case.X0, 30)
    np.testing.assert_allclose(ours, [np.concatenate(x) for x in theirs], atol=1e-12)


def test_each_step_leaves_the_columns_exact():
    for x in case.iterates(case.problem(), Sinkhorn(), 5)[0]:
        np.testing.assert_allclose(case.plan(x).sum(0), case.B, rtol=1e-12)


def test_the_hilbert_metric_contracts_at_birkhoff_s_rate():
    """Franklin and Lorenz (1989): a sweep contracts by tanh(diameter / 4)^2."""
    xs, _ = case.iterates(case.problem(0.2), Sinkhorn(), 400)
    K = np.exp(-case.C / 0.2)
    cross = K[:, None, :, None] * K[None, :, None, :]
    diameter = np.log(np.max(cross / np.swapaxes(cross, 2, 3)))
    rate = np.tanh(diameter / 4) ** 2
    away = [np.ptp((x - xs[-1])[case.M :]) for x in xs[:12]]
    away = [v for v in away if v > 1e-13]
    assert len(away) >= 4
    assert all(q <= rate * p for p, q in itertools.pairwise(away))


def test_scaling_eps_ends_at_the_same_solution_sooner():
    eps = 0.002
    slow, _ = case.iterates(case.problem(eps), Sinkhorn(), 60)
    fast, states = case.iterates(case.problem(eps), Sinkhorn(decay=0.5), 60)
    said = np.array([float(s.eps) for s in states])
    average = case.A @ case.C @ case.B
    np.testing.assert_allclose(said[:5], average / 2.0 ** np.arange(1, 6), rtol=1e-12)
    assert said[-1] == eps
    assert case.error(fast[-1], eps) < case.error(slow[-1], eps)


def test_it_is_stuck_only_where_nothing_moves():
    xs, states = case.iterates(case.problem(0.5), Sinkhorn(), 300)
    flags = [bool(s.stuck) for s in states]
    assert not flags[0] and flags[-1]
    assert case.error(xs[flags.index(True)], 0.5) < 1e-14
    # A large eps on the way down is not the end.
    _, states = case.iterates(case.problem(0.5), Sinkhorn(decay=0.999, first=1e6), 300)
    assert not any(bool(s.stuck) for s in states)
