"""Coded gradient descent: exact decoding, its clock, and what it sends."""

import numpy as np
import pytest
from reference import _workers as case

import banach as bn
from banach.methods.distributed import _coding_schemes as schemes
from banach.methods.distributed._stragglers import Bursts
from banach.methods.distributed.sequential_gradient_coding import (
    SequentialGradientCoding as Coded,
)

OFTEN = Bursts(slows=0.3, recovers=0.6)
SCHEMES = {
    "uncoded": schemes.gc(3, 0),
    "gc": schemes.gc(3, 1),
    "sr": schemes.sr_sgc(3, 1, 2, 1),
    "m": schemes.m_sgc(3, 1, 2, 1),
}


def test_decoding_is_exact_whoever_straggles():
    for scheme in SCHEMES.values():
        s = case.states(Coded(1 / case.L, scheme, OFTEN), 40)
        assert np.max(s.error) < 1e-12
        # Somebody was slow, or nothing was tested.
        assert np.any(s.slow)


def test_the_clock_is_that_of_those_who_were_waited_for():
    calm = Bursts(slows=0.0, jitter=0.0, latency=0.0)
    s = case.states(Coded(0.1, SCHEMES["gc"], calm), 5)
    np.testing.assert_allclose(s.clock, 2 / 3 * np.arange(1, 6), rtol=1e-12)
    always = Bursts(slows=1.0, recovers=0.0, jitter=0.0, latency=0.0, factor=5.0)
    s = case.states(Coded(0.1, SCHEMES["uncoded"], always), 5)
    np.testing.assert_allclose(s.clock, 5 / 3 * np.arange(1, 6), rtol=1e-12)


def test_stragglers_cost_less_with_a_code():
    clocks = {
        name: float(case.states(Coded(0.1, scheme, Bursts(0.05, 0.9)), 400).clock[-1])
        for name, scheme in SCHEMES.items()
    }
    calm = Bursts(slows=0.0)
    plain = float(case.states(Coded(0.1, SCHEMES["uncoded"], calm), 400).clock[-1])
    assert clocks["uncoded"] > 1.3 * plain
    assert clocks["m"] < clocks["gc"]


def test_a_scheme_for_other_workers_is_refused():
    with pytest.raises(bn.Misuse, match="a scheme for 5 workers meets 3"):
        bn.solve(case.problem(), Coded(0.1, schemes.gc(5, 1)))


def test_it_solves_and_tells_what_was_sent():
    p = case.problem()
    r = bn.solve(p, "sequential_gradient_coding", tol=1e-8)
    assert r.certified
    np.testing.assert_allclose(r.x, case.SOLUTION, rtol=1e-5)
    lanes = r.method.scheme.lanes
    assert r.sent == {"up": r.steps * 3 * lanes * 4 * 8}
