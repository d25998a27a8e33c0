"""Both algorithms: reference with the same draws, estimates, counts, refusals."""

import jax
import minimax_case as case
import numpy as np
from reference import vr_halpern as reference

from banach.core.method import Refusal
from banach.methods.minimax.vr_halpern import VrHalpern

KNOWN = dict(cocoercive_average=case.BETA_AVERAGE, L=case.L)


def draws(key, batch):
    coin, draw = jax.random.split(key)
    return float(jax.random.uniform(coin)), np.asarray(
        jax.random.randint(draw, (batch,), 0, case.N)
    )


def built(problem):
    return VrHalpern.suggest(problem, problem.facts())


def test_the_cocoercive_iterates_equal_the_reference():
    problem = case.problem(**KNOWN)
    method = built(problem)
    assert not method.inexact and method.batch == 3
    assert method.step_size == case.BETA_AVERAGE / 4
    ours, state = case.iterates(problem, method, 20)
    drawn = [draws(key, 3) for key in case.keys_of(20)]
    theirs = reference.cocoercive(
        case.ORACLES, case.Z0, drawn, step_size=case.BETA_AVERAGE / 4
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    renewed = sum(c < 4 / (min(k, 3) + 5) for k, (c, _) in enumerate(drawn))
    assert 3 <= renewed <= 17
    assert {k: int(v) for k, v in method.calls(state).items()} == {
        "operator": 1 + renewed,
        "component": 6 * (20 - renewed),
        "resolvent": 20,
    }


def test_the_lipschitz_iterates_equal_the_reference():
    problem = case.problem(monotone=True, L_average=case.L_AVERAGE)
    method = built(problem)
    assert method.inexact and method.step_size == 3 / case.L_AVERAGE
    ours, state = case.iterates(problem, method, 8)
    q = 0.9 / 3 / (2 * (1 + 3))
    lengths = [int(np.ceil(np.log(k + 2) / q)) for k in range(8)]
    drawn = [
        [
            (coin, int(batch[0]))
            for coin, batch in (
                draws(jax.random.fold_in(key, j), 1) for j in range(length)
            )
        ]
        for key, length in zip(case.keys_of(8), lengths, strict=True)
    ]
    theirs = reference.lipschitz(
        case.ORACLES, case.Z0, drawn, step_size=3 / case.L_AVERAGE,
        L=case.L_AVERAGE, p=1 / case.N,
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
    calls = {k: int(v) for k, v in method.calls(state).items()}
    assert calls["component"] == 2 * sum(lengths)
    assert calls["resolvent"] == sum(lengths)
    renewed = sum(coin < 1 / case.N for inner in drawn for coin, _ in inner)
    assert calls["operator"] == 8 + renewed


def test_the_inner_solver_is_near_the_resolvent():
    """One Halpern step from z is an average with the resolvent, here solved exactly."""
    problem = case.problem(monotone=True, L_average=case.L_AVERAGE)
    method = VrHalpern(3 / case.L_AVERAGE, case.L_AVERAGE, 25.0, inexact=True)
    z1 = case.iterates(problem, method, 1)[0][0]
    s, v = 3 / case.L_AVERAGE, case.Z0
    for _ in range(20000):
        A = s * case.ORACLES.operator(v) + v - case.Z0
        v = np.clip(v - 0.02 * A, -case.SIDE, case.SIDE)
    np.testing.assert_allclose(z1, (case.Z0 + v) / 2, atol=1e-3)
    assert np.linalg.norm(v - case.Z0) > 0.1


def test_the_estimate_stays_near_F():
    problem = case.problem(**KNOWN)
    zs, state = case.iterates(problem, built(problem), 300)
    F = case.ORACLES.operator(zs[-1])
    error = np.linalg.norm(np.asarray(state.estimate) - F)
    assert 0 < error < 0.05 * np.linalg.norm(case.Q.mean(0))


def test_it_needs_a_constant_of_the_components():
    problem = case.problem(monotone=True, L=case.L)
    no = built(problem)
    assert isinstance(no, Refusal) and no.missing == "L_average"
    assert "extragradient" in no.cure
