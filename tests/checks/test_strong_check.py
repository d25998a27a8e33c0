"""Bounds of gap and distance from mu or a radius, against rational arithmetic."""

from fractions import Fraction

import exact_quadratic as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach.checks.strong import BallGap, StrongDistance, StrongGap
from banach.core.point import Point
from banach.kinds.smooth.problem import Smooth

CHECKS = (StrongGap, StrongDistance, BallGap)


def certify(check, problem, x):
    return judged(check, problem, Point(x))[0]


def stated(check, H, b, c):
    scale = (1e-12 + 1) ** -1
    mu = H[0, 0] * 0 + jnp.linalg.eigvalsh(H)[0] * scale
    R = 1.001 * jnp.linalg.norm(jnp.linalg.solve(H, b))
    zero = np.zeros(3)
    return exact.problem(H, b, c, mu=mu, radius=R, convex=True, reference=zero)


@pytest.mark.parametrize("check", CHECKS)
def test_sound_and_never_refuted_when_the_facts_hold(check):
    H, b, c, x = exact.instances()
    run = jax.jit(jax.vmap(lambda *a: certify(check(), stated(check, *a[:3]), a[3])))
    cert = run(H, b, c, x)
    value, slack = cert.parts[0].value, cert.parts[0].slack
    for i in range(len(x)):
        claim = Fraction(float(value[i])) + Fraction(float(slack[i]))
        if check is StrongDistance:
            assert claim**2 >= exact.distance(H[i], b[i], x[i])
        else:
            assert claim >= exact.gap(H[i], b[i], x[i])
    assert not np.any(np.asarray(cert.parts[1].value) < 0)
    at = np.linalg.solve(H[1], b[1])
    assert bool(certify(check(), stated(check, H[1], b[1], c[1]), at).within(1e-9))


@pytest.mark.parametrize("check", CHECKS)
def test_offset_and_factor_do_not_move_the_ratio(check):
    H, b, _, _ = (v[1] for v in exact.instances())
    x = np.array([0.3, -1.2, 2.0])
    base = float(certify(check(), stated(check, H, b, 0.0), x).ratio)
    for factor, offset in ((1.0, 1e6), (1e-9, 0.0), (1e9, 1e3)):
        p = stated(check, factor * H, factor * b, offset)
        assert float(certify(check(), p, x).ratio) == pytest.approx(base, rel=1e-6)


@pytest.mark.parametrize("check", CHECKS)
def test_a_screen_agrees_and_its_placeholder_stays_below_the_value(check):
    H, b, _, _ = (v[1] for v in exact.instances())
    p, best = stated(check, H, b, 0.0), np.linalg.solve(H, b)
    far = certify(check(screen=1e-6), p, best + 1.0)
    assert 0 < float(far.slack) < float(far.value) and not bool(far.within(1e-6))
    near = certify(check(screen=1e-6), p, best)
    assert float(near.slack) == pytest.approx(float(certify(check(), p, best).slack))


@pytest.mark.parametrize("check", CHECKS)
def test_a_nonconvex_function_declared_convex_is_refuted(check):
    p = Smooth(
        lambda x: jnp.sum(jnp.cos(x)), np.full(3, 0.1), mu=1.0, radius=5.0, convex=True
    )
    cert = certify(check(), p, np.zeros(3))
    assert bool(cert.refuted())
    assert not bool(cert.within(1.0))
    assert "midpoints" in cert.parts[1].name


def test_an_inflated_mu_is_refuted_by_midpoints():
    H, b, _, x = (v[1] for v in exact.instances())
    big = 10 * np.linalg.eigvalsh(H)[-1]
    cert = certify(StrongGap(), exact.problem(H, b, mu=big), x)
    assert bool(cert.refuted())


def test_what_cannot_be_refuted_is_printed():
    # mu is too large by 1e-7 of itself: samples cannot see it, the reader can.
    p = Smooth(lambda x: jnp.sum(x**2), np.ones(2), mu=2 * (1 + 1e-13))
    cert = certify(StrongGap(), p, np.zeros(2))
    assert "mu: declared" in cert.assumes and cert.grade == "bound"
    q = Smooth(lambda x: jnp.sum(x**2), np.ones(2), convex=True, radius=2.0)
    assert set(certify(BallGap(), q, np.zeros(2)).assumes) == {
        "convex: declared",
        "radius: declared",
    }


def test_a_radius_that_is_too_small_is_refuted_or_printed():
    # x* = 3 is outside the ball of radius 1 around 0: at x = 3 the bound is 0, at
    # x = 5 it is far below the truth's sign pattern only if x is inside the ball.
    p = Smooth(lambda x: jnp.sum((x - 3) ** 2), np.zeros(1), convex=True, radius=1.0)
    cert = certify(BallGap(), p, np.array([2.9]))
    assert float(cert.parts[0].value) == pytest.approx(-0.2 * 2.9 + 0.2)
    assert bool(cert.refuted())


@pytest.mark.parametrize(
    ("check", "says"),
    [(StrongGap, "declare mu"), (StrongDistance, "declare mu"), (BallGap, "radius=R")],
)
def test_missing_facts_are_refused_with_the_cure(check, says):
    assert says in check().refuses(Smooth(lambda x: jnp.sum(x**2), np.ones(2)))
