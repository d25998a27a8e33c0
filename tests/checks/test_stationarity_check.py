"""||grad f||: sound against rational arithmetic, invariant, honest about dtype."""

from fractions import Fraction

import exact_quadratic as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach.checks.stationarity import Stationarity
from banach.core.point import Point
from banach.kinds.composite.problem import Composite
from banach.kinds.smooth.problem import Smooth
from banach.terms.sets import Simplex

KEY = 0


def certify(problem, x, **hyper):
    check = Stationarity(**hyper)
    return judged(check, problem, Point(x), KEY)[0]


def test_sound_at_all_scales_and_at_optima():
    H, b, c, x = exact.instances()
    cert = jax.jit(jax.vmap(lambda *a: certify(exact.problem(*a[:3]), a[3])))(
        H, b, c, x
    )
    for i in range(len(x)):
        truth = sum(v * v for v in exact.gradient(H[i], b[i], x[i]))
        claim = Fraction(float(cert.parts[0].value[i])) + Fraction(
            float(cert.parts[0].slack[i])
        )
        assert claim**2 >= truth
        # And useful: the slack is rounding, relative to the terms of the gradient.
        size = np.linalg.norm(H[i]) * np.linalg.norm(x[i]) + np.linalg.norm(b[i])
        assert float(cert.parts[0].slack[i]) <= 1e-13 * size


def test_ratio_does_not_move_with_offsets_and_factors():
    x = np.array([0.3, -1.2, 2.0])
    H, b, _, _ = (v[1] for v in exact.instances())
    zero = np.zeros(3)
    base = certify(exact.problem(H, b, reference=zero), x).ratio
    for c, offset, x0 in ((1.0, 1e6, 0.0), (1e-9, 0.0, 0.0), (1e9, 0.0, 7.0)):
        p = Smooth(
            lambda x, H, b, c, k: c * (0.5 * x @ H @ x - b @ x) + k,
            np.full(3, x0),
            (H, b, c, offset),
            reference=zero,
        )
        assert float(certify(p, x).ratio) == pytest.approx(float(base), rel=1e-9)


def test_float32_points_are_judged_in_float64():
    def f(x):
        return jnp.sum((x - 0.1) ** 2)

    x = np.full(2, 0.1, np.float32)
    cert = certify(Smooth(f, np.ones(2, np.float32)), x)
    truth = 2 * np.sqrt(2) * abs(float(x[0]) - 0.1)
    assert cert.parts[0].value.dtype == np.float64
    assert float(cert.value) == pytest.approx(truth, rel=1e-12)
    assert float(cert.slack) < 1e-14
    with jax.enable_x64(False):
        # A float32 program is read with its float32 literal, not with 1/10.
        y = np.array([0.3, 0.7], np.float32)
        narrow = certify(Smooth(f, jnp.ones(2)), jnp.asarray(y))
        assert narrow.parts[0].value.dtype == np.float32
        truth = 2 * np.linalg.norm(y.astype(float) - float(np.float32(0.1)))
        assert float(narrow.value) + float(narrow.slack) >= truth
        assert float(narrow.slack) < 1e-5


def test_a_rescaled_function_is_small_only_in_absolute_terms():
    # Without a reference the user asked for absolute units; with one, f -> 1e-9 f
    # changes nothing.
    H, b, _, _ = (v[1] for v in exact.instances())
    x = np.ones(3)
    p = exact.problem(1e-9 * H, 1e-9 * b, reference=np.zeros(3))
    assert not bool(certify(p, x).within(1e-6))


def test_a_screen_skips_the_slack_but_never_certifies_more():
    H, b, _, _ = exact.instances()
    p = exact.problem(H[1], b[1], reference=np.zeros(3))
    best = np.linalg.solve(H[1], b[1])
    for at in (best, best + 1.0):
        full, fast = certify(p, at), certify(p, at, screen=1e-6)
        assert bool(full.within(1e-6)) == bool(fast.within(1e-6))
        assert float(full.value) == float(fast.value)


def test_an_operation_without_a_rule_is_estimated_and_says_so():
    @jax.custom_jvp
    def opaque(x):
        return jax.pure_callback(lambda v: v, jax.ShapeDtypeStruct((2,), x.dtype), x)

    @opaque.defjvp
    def _(primals, tangents):
        return opaque(primals[0]), tangents[0]

    p = Smooth(lambda x: jnp.sum(opaque(x) ** 2), np.ones(2))
    cert = certify(p, np.full(2, 1e-3))
    assert cert.rounding == "estimated"
    assert cert.assumes == ("gradient rounding: estimated",)
    assert 0 < float(cert.slack) < 1e-12


def test_terms_are_refused_with_the_cure():
    p = Composite(lambda x: jnp.sum(x**2), Simplex(), np.ones(2), convex=True)
    assert "frank_wolfe" in Stationarity().refuses(p)
    assert Stationarity().refuses(p.smooth) is None
