"""EControl: every compressor and batches, messages, and a bound that is missing."""

import numpy as np
import pytest
from reference import _workers as case

import banach as bn
from banach.core.method import Refusal
from banach.methods.distributed._compressors import (
    Identity,
    LowRank,
    Quantised,
    RandK,
    TopK,
)
from banach.methods.distributed.econtrol import Econtrol


@pytest.mark.parametrize(
    "compressor", [RandK(2), LowRank(1, 2), Quantised(2), Identity()], ids=repr
)
def test_it_converges_to_the_exact_solution(compressor):
    """Heterogeneous workers, full gradients: no floor above rounding."""
    x = case.states(Econtrol.of(compressor, case.L, case.D), 6000).x[-1]
    np.testing.assert_allclose(x, case.SOLUTION, rtol=1e-10, atol=1e-11)


def test_batches_reach_a_noise_floor():
    x = case.states(Econtrol.of(TopK(2), case.L, case.D, 2), 4000).x[-500:]
    assert 1e-8 < np.mean(np.sum((x - case.SOLUTION) ** 2, axis=1)) < 1


def test_the_ledger_counts_messages():
    method = Econtrol.of(TopK(1), case.L, case.D)
    r = bn.solve(case.problem(), method, max_steps=10, tol=1e-12)
    bits = 3 * (4 * 64 + 10 * (64 + 2))
    assert r.sent == {"up": bits // 8, "down": 3 * 10 * 4 * 8}
    assert r.to_dict()["sent"] == r.sent and "sent " in str(r)
    assert r.calls == {"local_grad": 11, "local_sample": 0}
    sampled = Econtrol.of(TopK(1), case.L, case.D, 2)
    r = bn.solve(case.problem(), sampled, max_steps=10, tol=1e-12)
    assert r.calls == {"local_grad": 1, "local_sample": 10}


def test_without_L_it_refuses_with_the_cure():
    terms = bn.FiniteSum(case.loss, case.X0, (case.A[0], case.Y[0]))
    plain = bn.DistributedSum(terms, 2)
    out = Econtrol.suggest(plain, plain.facts())
    assert isinstance(out, Refusal) and "L=" in out.cure
