"""What no check may ever certify."""

import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach import checks
from banach.core.check import Absolute
from banach.core.point import Point
from banach.kinds.composite.problem import Composite
from banach.kinds.root.problem import Root
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1
from banach.terms.sets import Box, L2Ball, Simplex


def certify(name, problem, x, dual=None, **hyper):
    check = checks.by_name(name, **hyper)
    assert check.refuses(problem) is None
    return judged(check, problem, Point(np.asarray(x, float), dual))


@pytest.mark.parametrize("x", [[0.0], [1e-10], [-1e-10], [1.0]])
def test_a_system_without_a_root(x):
    # x^2 + 1e-20: the residual is tiny, and says so itself; the enclosure refuses.
    p = Root(lambda x: x**2 + 1e-20, np.ones(1))
    cert, _ = certify("enclosure", p, x)
    assert not bool(cert.within(1e9))
    residual, _ = certify("residual", p, x)
    assert residual.grade == "residual" and "x*" not in residual.quantity


@pytest.mark.parametrize("name", ["step", "frank_wolfe"])
def test_an_infeasible_point_is_never_the_answer(name):
    p = Composite(lambda x: jnp.sum(x**2), Simplex(), np.ones(3), convex=True)
    # The unconstrained minimiser: zero gradient, outside the simplex.
    _, point = certify(name, p, np.zeros(3))
    assert float(p.term.violation(point.x)) < 1e-14
    assert not np.array_equal(point.x, np.zeros(3))


def test_an_optimum_where_the_function_is_nan():
    # The infimum is at the border of the domain, where f is 0 * log 0 = NaN.
    p = Smooth(lambda x: jnp.sum(x * jnp.log(x) - x + 1), np.ones(2))
    cert, _ = certify("stationarity", p, [0.0, 1.0])
    assert not bool(cert.within(1e9))
    cert, _ = certify("stationarity", p, [-1.0, 1.0])
    assert not bool(cert.within(1e9))


def test_a_flat_tail_is_stationary_and_never_a_gap():
    # -log on a huge box: at 1e9 the gradient is 1e-9, the gap to 1e12 is ln 1000.
    f = Smooth(lambda x: -jnp.sum(jnp.log(x)), np.ones(1), convex=True)
    p = Composite(f, Box(1.0, 1e12))
    gap, _ = certify("frank_wolfe", p, [1e9])
    assert gap.grade == "bound" and not bool(gap.absolute().within(1.0))
    assert float(gap.value) >= np.log(1000)
    plain, _ = certify("stationarity", f, [1e9])
    # What it says is true: the gradient is small; of f - f* it says nothing.
    assert plain.grade == "residual" and "f*" not in plain.quantity
    assert not bool(plain.within(1e-10))


def test_separable_logistic_regression_has_no_minimiser():
    A = np.array([[1.0], [2.0]])
    p = Smooth(lambda w: jnp.sum(jnp.logaddexp(0.0, -A @ w)), np.zeros(1), convex=True)
    cert, _ = certify("stationarity", p, [800.0])
    assert "f*" not in cert.quantity and "x*" not in cert.quantity
    for w in (10.0, 800.0):
        assert not bool(certify("enclosure", p, [w])[0].within(1e3))


def test_rescaling_the_equations_buys_nothing_with_units():
    def stated(c):
        F = lambda x, c: c * (x**2 - 2)  # noqa: E731
        return Root(F, np.ones(1), (c,), scale=np.array([c]))

    x = np.array([1.4])
    ratios = [float(certify("residual", stated(c), x)[0].ratio) for c in (1.0, 1e-9)]
    np.testing.assert_allclose(ratios[0], ratios[1], rtol=1e-9)
    # Without units, 1e-9 F is small: the enclosure still measures x.
    small = Root(lambda x: 1e-9 * (x**2 - 2), np.ones(1))
    assert float(certify("enclosure", small, x)[0].value) >= 2**0.5 - 1.4


@pytest.mark.parametrize("c", [1e-9, 1e9])
def test_rescaling_the_function_buys_nothing_with_a_reference(c):
    def stated(c):
        f = Smooth(
            lambda x, c: c * jnp.sum((x - 1) ** 2),
            np.zeros(2),
            (c,),
            mu=2 * c,
            L=8 * c,
            reference=np.zeros(2),
        )
        return f, Composite(f, L1(0.0))

    x = np.array([1.01, 1.0])
    for name in ("stationarity", "strong_gap", "strong_distance"):
        ratio = float(certify(name, stated(c)[0], x)[0].ratio)
        base = float(certify(name, stated(1.0)[0], x)[0].ratio)
        assert ratio == pytest.approx(base, rel=1e-9) and ratio > 1e-6
    # L four times too large: the step from 0 ends at 1/4, where |grad| is 3/4 of it.
    ratio = float(certify("step", stated(c)[1], [0.0, 0.0])[0].ratio)
    assert ratio == pytest.approx(0.75, rel=1e-9)


def test_a_forged_dual_point_has_no_say():
    p = Composite(
        lambda x: jnp.sum((x - 3) ** 2), L2Ball(1.0), np.zeros(2), convex=True
    )
    x = np.array([0.5, 0.5])
    plain, _ = certify("frank_wolfe", p, x)
    forged, point = certify("frank_wolfe", p, x, dual=np.full(2, 1e30))
    assert float(forged.value) == float(plain.value) > 1
    assert point.dual is None


def test_a_concave_function_declared_convex():
    f = Smooth(
        lambda x: -jnp.sum(x**2), np.zeros(2) + 0.5, convex=True, radius=1.0, mu=1.0
    )
    for name in ("strong_gap", "strong_distance", "ball_gap"):
        cert, _ = certify(name, f, np.zeros(2))
        assert bool(cert.refuted()) and not bool(cert.within(1e9))
        assert any("declared" in line for line in cert.assumes)


def test_a_dent_that_no_sample_meets_carries_the_declaration():
    # Nonconvex in a needle far away: not refutable by samples, so it is printed.
    def f(x):
        return jnp.sum(x**2) - 5e5 * jnp.sum(jnp.exp(-(((x - 500.0) / 1e-3) ** 2)))

    p = Composite(f, Box(-1e3, 1e3), np.zeros(1), convex=True)
    cert, _ = certify("frank_wolfe", p, np.zeros(1))
    assert bool(cert.within(1e-6))
    assert cert.assumes == ("convex: declared",)


def test_a_swapped_problem_is_another_claim():
    x = np.array([1.0, 2.0])
    one = Smooth(lambda x, c: jnp.sum((x - c) ** 2), np.zeros(2), (x,))
    two = Smooth(lambda x, c: jnp.sum((x - c) ** 2), np.zeros(2), (x[::-1].copy(),))
    assert bool(certify("stationarity", one, x)[0].within(1e-9))
    assert not bool(certify("stationarity", two, x)[0].within(0.1))


def test_a_saddle_is_not_second_order_stationary():
    p = Smooth(lambda x: x[0] ** 2 - x[1] ** 2, np.ones(2))
    assert bool(certify("stationarity", p, np.zeros(2))[0].within(1e-9))
    assert not bool(certify("second_order", p, np.zeros(2))[0].within(1e-6))


def test_an_absolute_tolerance_is_absolute():
    p = Smooth(lambda x: 1e6 * jnp.sum(x**2), np.ones(1), reference=np.ones(1))
    cert, _ = certify("stationarity", p, [1e-3])
    assert Absolute(1.0).tol == 1.0
    assert bool(cert.within(1e-2)) and not bool(cert.absolute().within(1.0))
