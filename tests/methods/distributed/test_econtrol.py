"""EControl: linear convergence, what is kept back, noise, messages, refusal."""

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
    "compressor", [TopK(1), RandK(2), LowRank(1, 2), Quantised(2), Identity()], ids=repr
)
def test_it_converges_linearly_to_the_exact_solution(compressor):
    """Heterogeneous workers, full gradients: no floor above rounding."""
    method = Econtrol.of(compressor, case.L, case.D)
    errors = np.linalg.norm(case.states(method, 6000).x - case.SOLUTION, axis=1)
    assert errors[-1] < 1e-11 * np.linalg.norm(case.SOLUTION)
    assert errors[500] > 1e-11 or isinstance(compressor, Identity)


def test_the_server_knows_the_average_of_what_the_workers_sent():
    s = case.states(Econtrol.of(TopK(1), case.L, case.D), 30)
    np.testing.assert_allclose(s.mean, s.h.mean(axis=1), rtol=1e-12, atol=1e-14)
    # Nothing is lost: what is held back is exactly what was not sent.
    gradients = np.stack([case.local_grad(x) for x in [case.X0, *s.x[:-1]]])
    lag = np.concatenate([case.local_grad(case.X0)[None], s.h[:-1]])
    sent = s.h - lag
    np.testing.assert_allclose(
        s.e, np.cumsum(gradients - lag - sent, axis=0), rtol=1e-9, atol=1e-10
    )


def test_batches_reach_a_noise_floor_that_full_gradients_do_not():
    floor = {}
    for batch in (None, 2):
        method = Econtrol.of(TopK(2), case.L, case.D, batch)
        x = case.states(method, 4000).x[-500:]
        floor[batch] = np.mean(np.sum((x - case.SOLUTION) ** 2, axis=1))
    assert floor[None] < 1e-20 < 1e-8 < floor[2] < 1


def test_the_ledger_counts_messages():
    p = case.problem()
    r = bn.solve(p, Econtrol.of(TopK(1), case.L, case.D), max_steps=10, tol=1e-12)
    bits = 3 * (4 * 64 + 10 * (64 + 2))
    assert r.sent == {"up": bits // 8, "down": 3 * 10 * 4 * 8}
    assert r.to_dict()["sent"] == r.sent and "sent " in str(r)
    assert bn.solve(p, "gradient_descent", max_steps=1).sent == {}


def test_without_L_it_refuses_with_the_cure():
    plain = bn.DistributedSum(
        bn.FiniteSum(case.loss, case.X0, (case.A[0], case.Y[0])), 2
    )
    out = Econtrol.suggest(plain, plain.facts())
    assert isinstance(out, Refusal) and "L=" in out.cure
