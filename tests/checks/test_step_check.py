"""The proximal step residual: what is returned is what was judged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach.checks.prox_step import ProxStep
from banach.core.point import Point
from banach.kinds.composite.problem import Composite
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1, SquaredL2
from banach.terms.sets import Box, L2Ball, Simplex
from banach.terms.term import Term

H = np.array([[3.0, 1.0], [1.0, 2.0]])
L = 4.0


def lasso(b, lam=0.5, **facts):
    def f(x, b):
        return 0.5 * x @ H @ x - b @ x

    return Composite(Smooth(f, np.ones(2), (b,), **facts), L1(lam))


def certify(problem, x):
    return judged(ProxStep(), problem, Point(x))


def distance(b, lam, x):
    """dist(0, dF(x)) of the lasso in longdouble."""
    H_, b, x = (np.asarray(v, np.longdouble) for v in (H, b, x))
    g = H_ @ x - b
    at_zero = np.maximum(abs(g) - lam, 0)
    return np.linalg.norm(
        np.where(x == 0, at_zero, abs(g + lam * np.sign(x))).astype(float)
    )


def test_bounds_the_distance_at_the_returned_point():
    draw = np.random.default_rng(1)
    bs = draw.normal(size=(40, 2)) * 10.0 ** draw.integers(-3, 4, (40, 1))
    xs = draw.normal(size=(40, 2)) * 10.0 ** draw.integers(-9, 4, (40, 1))
    run = jax.jit(jax.vmap(lambda b, x: certify(lasso(b, L=L), x)))
    cert, after = run(bs, xs)
    for i in range(40):
        claim = float(cert.parts[0].value[i] + cert.parts[0].slack[i])
        assert claim >= distance(bs[i], 0.5, np.asarray(after.x[i]))


def test_at_the_point_itself_the_distance_may_be_of_order_one():
    # x* = (0, 0): at 1e-9 the subgradient is of size 1, at x+ it is 0.
    b = np.array([0.2, -0.3])
    x = np.array([1e-9, 1e-9])
    cert, after = certify(lasso(b, L=L), x)
    assert distance(b, 0.5, x) > 0.3
    np.testing.assert_array_equal(after.x, np.zeros(2))
    assert bool(cert.within(1e-6))
    assert cert.quantity == "dist(0,dF(x+))" and cert.grade == "residual"
    assert cert.assumes == ()


def test_without_L_the_bound_is_as_good():
    x, b = np.array([0.3, -2.0]), np.ones(2)
    cert, after = certify(lasso(b), x)
    assert cert.quantity == "dist(0,dF(x+))" and cert.assumes == ()
    # t = 1: the subgradient at x+ is x - x+ - g(x) + g(x+).
    v = x - (H @ x - b)
    plus = np.sign(v) * np.maximum(abs(v) - 0.5, 0)
    np.testing.assert_allclose(after.x, plus, rtol=1e-12)
    told = np.linalg.norm(v - plus + H @ plus - b)
    assert float(cert.value) == pytest.approx(told, rel=1e-12)


@pytest.mark.parametrize("step", [1e-12, 1e-3, 7.0, 1e6, 1e12])
@pytest.mark.parametrize("kind", ["box", "l1", "ball", "squares"])
def test_no_step_certifies_what_is_not_stationary(step, kind):
    """Truth in longdouble, at whatever point the step led to."""
    c = np.array([0.7, -3.0, 0.2])
    term = {
        "box": Box(-1.0, 1.0), "l1": L1(0.5), "ball": L2Ball(1.5),
        "squares": SquaredL2(40.0),
    }[kind]  # fmt: skip
    p = Composite(lambda x, c: jnp.sum((x - c) ** 2), term, np.zeros(3), (c,),
                  step=step)  # fmt: skip
    run = jax.jit(lambda x: certify(p, x))
    for x in (c, np.zeros(3), np.array([0.7, -1.0, 0.2]), np.array([9.0, 2.0, -5.0])):
        cert, after = run(x)
        claim = float(cert.parts[0].value + cert.parts[0].slack)
        x = np.asarray(after.x, np.longdouble)
        g = 2 * (x - c)
        if kind == "box":
            free = np.where(
                x >= 1, np.maximum(g, 0), np.where(x <= -1, np.minimum(g, 0), g)
            )
        elif kind == "l1":
            free = np.where(
                x == 0, np.maximum(abs(g) - 0.5, 0), abs(g + 0.5 * np.sign(x))
            )
        elif kind == "squares":
            free = g + 40 * x
        else:
            n = np.sqrt(np.sum(x * x))
            # On the sphere to rounding: what lies along -x costs nothing.
            out = max(-(g @ x) / n, 0) if n >= 1.5 - 1e-12 else 0
            free = g + out * x / n
        assert claim >= np.sqrt(np.sum(free * free)) * (1 - 1e-12) - 1e-12


def test_a_nonconvex_term_is_judged_where_the_step_ends():
    """-|x| on [-1, 1]: F = x^2 / 2 - |x| is stationary at -1, 1 and not at 0.3."""

    class Down(Term):
        oracles = frozenset({"prox"})

        def value(self, x):
            return -jnp.sum(jnp.abs(x))

        def prox(self, v, t):
            return v + t * jnp.where(v >= 0, 1.0, -1.0)

        def center(self, like):
            return like

    p = Composite(lambda x: 0.5 * jnp.sum(x**2), Down(), np.ones(1), step=0.5, rho=1.0)
    cert, after = certify(p, np.array([0.3]))
    x = float(after.x[0])
    assert float(cert.value) == pytest.approx(abs(x - 1), rel=1e-12) and x < 0.9
    assert bool(certify(p, np.array([1.0]))[0].within(1e-9))


def test_the_step_scales_with_the_function():
    x = np.array([0.7, -2.0])
    values = []
    for c in (1e-9, 1.0, 1e9):
        f = Smooth(
            lambda x, c: c * (0.5 * x @ H @ x - jnp.sum(x)),
            np.zeros(2),
            (c,),
            L=c * L,
            reference=np.zeros(2),
        )
        values.append(float(certify(Composite(f, L1(0.3 * c)), x)[0].ratio))
    np.testing.assert_allclose(values, values[1], rtol=1e-9)


def test_a_tiny_step_of_a_method_has_no_say():
    # A method with step 1e-12 would see ||x - x+|| = 1e-12 and stop.
    cert, _ = certify(lasso(np.array([5.0, 5.0]), L=L), np.zeros(2))
    assert not bool(cert.within(1e-3))


def test_float32_returns_float32_and_charges_the_cast():
    f = Smooth(lambda x: jnp.sum((x - 0.3) ** 2), np.zeros(2, np.float32), L=2.0)
    cert, after = certify(Composite(f, Box(-1.0, 1.0)), np.full(2, 0.3, np.float32))
    assert after.x.dtype == np.float32
    truth = 2 * np.linalg.norm(np.asarray(after.x, float) - 0.3)
    assert float(cert.value + cert.slack) >= truth > 1e-9


def test_infeasible_points_come_back_inside():
    p = Composite(
        Smooth(lambda x: jnp.sum(x**2), np.zeros(3), L=9.0), Simplex(), np.ones(3)
    )
    cert, after = certify(p, np.array([5.0, -3.0, 0.0]))
    assert float(p.term.violation(after.x)) < 1e-14
    assert not bool(cert.within(1e-3))
    assert ProxStep().refuses(p) is None
    assert "prox" in ProxStep().refuses(p.smooth)
