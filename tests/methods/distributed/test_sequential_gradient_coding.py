"""Coded gradient descent: its clock, what it decodes, and what it sends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import _workers as case

import banach as bn
from banach.methods.distributed import _coding_schemes as schemes
from banach.methods.distributed._stragglers import Bursts
from banach.methods.distributed.sequential_gradient_coding import (
    SequentialGradientCoding as Coded,
)


def test_decoding_is_exact_whoever_straggles():
    for scheme in (schemes.sr_sgc(3, 1, 2, 1), schemes.m_sgc(3, 1, 2, 1)):
        s = case.states(Coded(1 / case.L, scheme, Bursts(0.3, 0.6)), 40)
        assert np.max(s.error) < 1e-12
        # Somebody was slow, or nothing was tested.
        assert np.any(s.slow)


def test_the_clock_is_that_of_those_who_were_waited_for():
    always = Bursts(slows=1.0, recovers=0.0, jitter=0.0, latency=0.0, factor=5.0)
    s = case.states(Coded(0.1, schemes.gc(3, 0), always), 5)
    np.testing.assert_allclose(s.clock, 5 / 3 * np.arange(1, 6), rtol=1e-12)


def test_who_straggles_is_known_when_the_time_is_up():
    seconds = jnp.array([1.0, 5.0, 1.5])
    codes = schemes.gc(3, 1), schemes.m_sgc(3, 1, 2, 1)
    # M-SGC bears nobody who straggles in two rounds.
    for scheme, took, again in zip(codes, (1.5, 2.0), (1.5, 5.0), strict=True):
        coded, none = Coded(0.1, scheme), jnp.zeros((scheme.memory, 3), bool)
        alive, found, history = coded.waited(none, seconds)
        assert found == took and alive.tolist() == [True, False, True]
        assert coded.waited(history, seconds)[1] == again


def test_a_scheme_for_other_workers_is_refused():
    with pytest.raises(bn.Misuse, match="a scheme for 5 workers meets 3"):
        bn.solve(case.problem(), Coded(0.1, schemes.gc(5, 1)))


def test_it_tells_what_was_sent():
    r = bn.solve(case.problem(), "sequential_gradient_coding", tol=1e-8)
    assert r.certified and r.sent == {"up": r.steps * 3 * r.method.scheme.lanes * 32}


def test_bursts_begin_and_end_as_likely_as_they_say():
    n, key = 4000, jax.random.key(3)
    calm, struck = jnp.zeros(n, bool), jnp.ones(n, bool)
    for slows, recovers in ((0.0, 0.0), (1.0, 1.0), (0.1, 0.7)):
        bursts = Bursts(slows=slows, recovers=recovers)
        began, _ = bursts.round(calm, 1.0, key, jnp.float64)
        stayed, _ = bursts.round(struck, 1.0, key, jnp.float64)
        # Four standard deviations of a share of 4,000.
        assert abs(float(began.mean()) - slows) < 0.032
        assert abs(float(stayed.mean()) - (1 - recovers)) < 0.032
