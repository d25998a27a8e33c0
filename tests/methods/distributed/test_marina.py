"""MARINA: where it ends, and what it says it sends."""

import numpy as np
import pytest
from reference import _workers as case

import banach as bn
from banach.core.method import Refusal
from banach.methods.distributed._compressors import Quantised
from banach.methods.distributed.marina import Marina


def test_it_ends_where_the_gradient_vanishes():
    s = case.states(Marina(0.02, 0.3, Quantised(2)), 6000)
    np.testing.assert_allclose(s.x[-1], case.SOLUTION, rtol=1e-10, atol=1e-11)


def test_it_sends_what_is_expected():
    problem = case.problem()
    r = bn.solve(problem, Marina(0.01, 0.5, Quantised(3)), max_steps=10, tol=1e-12)
    few, whole = 64 + 4 * (1 + 2), 4 * 64
    assert r.sent["up"] == 3 * (whole + 10 * (few + whole) / 2) // 8
    assert Marina.suggest(problem, problem.facts()).p == pytest.approx(1 / 4)


def test_without_L_it_refuses_with_the_cure():
    terms = bn.FiniteSum(case.loss, case.X0, (case.A[0], case.Y[0]))
    plain = bn.DistributedSum(terms, 2)
    out = Marina.suggest(plain, plain.facts())
    assert isinstance(out, Refusal) and "L=" in out.cure
