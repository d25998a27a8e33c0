"""Goals and roots' residuals."""

from fractions import Fraction

import exact_quadratic as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.checks.goal import Goal
from banach.checks.residual import Residual
from banach.core.point import Point
from banach.parts.sets import Simplex
from banach.problems.composite import Composite
from banach.problems.root import Root

KEY = 0


def certify(check, problem, x):
    return check(problem, Point(x), jax.random.key(KEY), 0)[0]


def test_a_goal_is_reached_only_when_the_exact_value_is_below():
    H, b, c, x = (v[1] for v in exact.instances())
    p = exact.problem(H, b, c)
    (xs,), (bs,), Hs = exact.frac(x), exact.frac(b), exact.frac(H)
    Hx = [sum(h * v for h, v in zip(row, xs, strict=True)) for row in Hs]
    truth = sum(v * w for v, w in zip(xs, Hx, strict=True)) / 2
    truth += Fraction(float(c)) - sum(v * w for v, w in zip(xs, bs, strict=True))
    edge = float(truth)
    size = abs(edge) + 1e6
    for target, reached in (
        (edge + 1e-9 * size, True),
        (edge - 1e-9 * size, False),
        # One ulp above the truth is within rounding: the check must not claim it.
        (np.nextafter(edge, -np.inf), False),
    ):
        cert = certify(Goal(target), p, x)
        for tol in (1e-12, 1e-6, 0.1):
            assert bool(cert.within(tol)) == reached
    assert cert.quantity == "f(x) (goal)" and cert.signed


def test_an_infeasible_point_reaches_no_goal():
    p = Composite(lambda x: jnp.sum(x), Simplex(), np.ones(3), convex=True)
    assert not bool(certify(Goal(0.5), p, np.zeros(3)).within(0.1))
    assert bool(certify(Goal(1.5), p, np.full(3, 1 / 3)).within(0.1))


@pytest.mark.parametrize("target", [0.0, 5.0])
def test_nan_reaches_no_goal(target):
    p = exact.problem(np.eye(3), np.ones(3))
    assert not bool(certify(Goal(target), p, np.full(3, np.nan)).within(1.0))


def test_residual_is_the_norm_of_F_in_the_given_units():
    units = np.array([1e3, 1e-3])
    p = Root(lambda x: x**2 - jnp.asarray([4.0, 9.0]), np.ones(2), scale=units)
    x = np.array([2.5, 3.0])
    cert = certify(Residual(), p, x)
    assert float(cert.value) == pytest.approx(2.25e-3, rel=1e-12)
    assert float(cert.value) + float(cert.slack) >= 2.25e-3
    bare = Root(lambda x: x**2 - jnp.asarray([4.0, 9.0]), np.ones(2))
    assert float(certify(Residual(), bare, x).value) == pytest.approx(2.25)
    assert bool(certify(Residual(), bare, np.array([2.0, 3.0])).within(1e-9))


def test_residual_is_sound_in_rational_arithmetic():
    draw = np.random.default_rng(0)
    xs = draw.normal(size=(20, 2)) * 10.0 ** draw.integers(-6, 6, (20, 1))

    def F(x):
        return jnp.stack([x[0] * x[1] - 2.0, x[0] ** 2 + x[1]])

    run = jax.jit(jax.vmap(lambda x: certify(Residual(), Root(F, jnp.ones(2)), x)))
    cert = run(xs)
    for i, (x, y) in enumerate(exact.frac(xs)):
        truth = (x * y - 2) ** 2 + (x * x + y) ** 2
        claim = Fraction(float(cert.parts[0].value[i])) + Fraction(
            float(cert.parts[0].slack[i])
        )
        assert claim**2 >= truth


def test_other_kinds_are_refused():
    p = exact.problem(np.eye(3), np.ones(3))
    assert "stationarity" in Residual().refuses(p)
