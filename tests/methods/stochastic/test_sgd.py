"""SGD: its reference on the same draws, its passes, and the promised O(1 / t)."""

import numpy as np
import pytest
import sum_case as case
from reference import sgd as reference

import banach as bn
from banach.core.method import Refusal
from banach.methods.stochastic.sgd import Sgd


def test_iterates_equal_the_reference_on_the_same_draws():
    method = Sgd(0.5, decay=0.1, batch=7)
    xs, draws, _ = case.drive(case.problem(), method, 12)
    theirs = reference.iterates(
        case.term_gradients, case.X0, draws, step_size=0.5, decay=0.1
    )
    np.testing.assert_allclose(xs, theirs, rtol=1e-10)


def test_a_pass_visits_every_term_once():
    _, draws, _ = case.drive(case.problem(), Sgd(0.1, batch=8), 15)
    passes = np.concatenate(draws).reshape(3, case.N)
    for one in passes:
        np.testing.assert_array_equal(np.sort(one), np.arange(case.N))
    assert not np.array_equal(passes[0], passes[1])
    # A rest that is smaller than a batch is thrown away.
    _, draws, _ = case.drive(case.problem(), Sgd(0.1, batch=30), 4)
    assert all(len(set(d)) == 30 for d in draws)


def test_the_whole_sum_as_a_batch_is_gradient_descent():
    xs, _, _ = case.drive(case.problem(), Sgd(1 / case.L, batch=case.N), 10)
    x = case.X0
    for mine in xs:
        x = x - case.term_gradients(x).mean(axis=0) / case.L
        np.testing.assert_allclose(mine, x, rtol=1e-10)


def test_the_error_falls_like_one_over_t():
    p = case.problem()
    best = bn.solve(p, tol=1e-10).x
    method = Sgd.suggest(p, p.facts())
    assert float(method.decay) == pytest.approx(case.L2 / (2 * case.L))
    gaps = []
    for seed in range(12):
        out = [
            bn.solve(p, method, seed=seed, max_steps=m, tol=1e-12).carry.state.x
            for m in (200, 3200)
        ]
        gaps.append([case.objective(x) - case.objective(best) for x in out])
    early, late = np.mean(gaps, axis=0)
    # Sixteen times the steps: theory says a sixteenth, at least a quarter is asked.
    assert 0 < late < early / 4


def test_without_L_it_refuses_with_the_cure():
    p = case.problem(L=None)
    no = Sgd.suggest(p, p.facts())
    assert isinstance(no, Refusal) and "adadagrad" in no.cure


def test_a_batch_larger_than_the_sum_is_refused():
    with pytest.raises(bn.Misuse, match="1 <= batch <= 40"):
        bn.solve(case.problem(), Sgd(0.1, batch=41))


def test_problems_without_terms_are_told_the_cure():
    with pytest.raises(bn.Misuse, match="as_finite_sum"):
        bn.solve("rosenbrock", "sgd")
