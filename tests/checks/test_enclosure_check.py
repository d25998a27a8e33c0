"""Enclosures as certificates: roots, strict minimisers, failures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach.checks.enclosure import EnclosureCheck
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.root.problem import Root
from banach.kinds.smooth.problem import Smooth
from banach.kinds.smooth.zoo import load

KEY = 0


def certify(problem, x):
    return judged(EnclosureCheck(), problem, Point(x), KEY)[0]


def test_a_root_is_enclosed():
    p = Root(lambda x: x**2 - 2.0, np.ones(1))
    x = np.array([1.41421356])
    cert = certify(p, x)
    truth = float(np.sqrt(np.longdouble(2)) - np.longdouble(x[0]))
    assert truth <= float(cert.value) <= truth * 1.001
    assert cert.grade == "enclosure" and cert.rounding == "proved"
    assert bool(cert.within(1e-8)) and not bool(cert.within(1e-9))


@pytest.mark.parametrize(
    ("F", "x"),
    [
        (lambda x: x**2 + 1e-20, 0.0),
        (lambda x: x**2, 1e-9),
        (lambda x: x**2, 0.0),
        (lambda x: 1e-9 * jnp.exp(-x), 50.0),
    ],
)
def test_small_residuals_without_a_simple_root_are_not_enclosed(F, x):
    cert = certify(Root(F, np.ones(1)), np.array([x]))
    assert float(cert.value) == np.inf and not bool(cert.within(1e6))


def test_a_minimiser_needs_a_definite_hessian_unless_convex():
    good = certify(load("rosenbrock"), np.ones(2) + 1e-12)
    assert 1e-12 <= float(good.value) < 1e-9
    assert "strict local" in good.quantity
    saddle = Smooth(lambda x: x[0] ** 2 - x[1] ** 2, np.ones(2))
    assert float(certify(saddle, np.zeros(2)).value) == np.inf
    convex = Smooth(lambda x: jnp.sum(x**2), np.ones(2), convex=True)
    cert = certify(convex, np.zeros(2))
    assert "strict" not in cert.quantity and "convex: declared" in cert.assumes


def test_float32_points_are_enclosed_in_their_float64_program():
    p = Root(lambda x: x - 0.1, np.ones(1, np.float32))
    cert = certify(p, np.full(1, 0.1, np.float32))
    truth = abs(float(np.float32(0.1)) - 0.1)
    assert truth <= float(cert.value) <= truth * 1.001


def test_inside_jit_it_says_what_to_do():
    p = Root(lambda x: x - 0.1, np.ones(1))
    with pytest.raises(Misuse, match="on the host"):
        jax.jit(lambda x: certify(p, x).value)(np.ones(1))
    big = Smooth(lambda x: jnp.sum(x**2), np.zeros(201))
    assert "200" in EnclosureCheck().refuses(big)
