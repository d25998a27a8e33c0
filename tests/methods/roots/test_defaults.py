"""Roots by default: classical systems beside SciPy, units, double roots, no root."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root

import banach as bn
from banach import zoo

METHODS = ["newton_root", "powell_hybrid", "broyden"]


def square(x, c):
    return jnp.stack([x[0] ** 2 + x[1] - 3, x[0] * x[1] - 1]) * c


@pytest.mark.parametrize("method", [None, *METHODS])
def test_units_of_equations_change_nothing(method):
    """From 1e-12 to 1e12, and two equations 1e8 apart."""
    scales = [1.0, 1e-12, 1e12, np.array([1e4, 1e-4])]
    stated = [bn.Root(square, [2.0, 1.0], (s * np.ones(2),)) for s in scales]
    first, *others = [bn.solve(p, method) for p in stated]
    assert first.status == "certified"
    for r in others:
        assert (r.status, r.steps) == (first.status, first.steps)
        np.testing.assert_allclose(r.x, first.x, rtol=1e-9)


@pytest.mark.parametrize("name", ["broyden_tridiagonal", "trigonometric"])
def test_the_root_is_as_good_as_that_of_scipy(name):
    p = zoo.load(f"root:{name}")
    with jax.enable_x64(True):
        F = jax.jit(lambda x: p.residual(x))
        theirs = root(lambda x: np.asarray(F(x)), p.x0, method="hybr")
        r = bn.solve(p, tol=1e-10)
        assert r.status == "certified"
        ours = float(jnp.linalg.norm(F(r.x)))
    assert ours <= 1e-8
    if theirs.success:
        np.testing.assert_allclose(r.x, theirs.x, rtol=1e-5)


def test_a_double_root_is_found():
    r = bn.solve(bn.Root(lambda x: (x - 3) ** 2, [5.0]), tol=1e-12)
    assert r.status == "certified" and abs(r.x[0] - 3) < 1e-5


@pytest.mark.parametrize("method", ["newton_root", "powell_hybrid"])
@pytest.mark.parametrize("c", [1.0, 1e9])
def test_without_a_root_nothing_is_certified_and_it_is_said(method, c):
    p = bn.Root(lambda x, c: c * (x**2 + 2 * x + 5), [40.0], (np.array(c),))
    r = bn.solve(p, method, max_steps=3000)
    assert r.status == "stalled"
    if method == "newton_root":
        assert abs(r.x[0] + 1) < 1e-4 and "stationary point of ||F||" in r.hint


def test_a_start_far_off_is_no_excuse():
    """The terms at x0 are 1e21, and |F| = 2 is not small for that."""
    p = bn.Root(lambda x: jnp.exp(x) + 2, [50.0])
    assert bn.verify(p, np.array([-40.0])).status != "certified"
    # c (x^2 - 2) at 1.4: in no unit.
    for c in (1e-9, 1.0, 1e9):
        near = bn.Root(lambda x, c: c * (x**2 - 2), [1.0], (np.array(c),))
        assert bn.verify(near, np.array([1.4])).status != "certified"
        assert bn.verify(near, np.array([2**0.5])).status == "certified"


def test_leaving_the_domain_is_survived():
    p = bn.Root(lambda x: jnp.log(x) + 4, [3.0])
    r = bn.solve(p)
    assert r.status == "certified" and r.x[0] == pytest.approx(np.exp(-4), rel=1e-5)


def test_more_equations_than_unknowns_are_met_by_the_gradient():
    """No root need exist: by name the gradient's is sought, and judged as a fit."""
    fit = bn.NonlinearLeastSquares(lambda x: jnp.append(x, x[0]) - 1, np.zeros(2))
    for name in METHODS:
        result = bn.solve(fit, name)
        assert "gradient" in result.method.seen_as()
        assert result.status == "certified"
        np.testing.assert_allclose(result.x, 1, rtol=1e-6)
