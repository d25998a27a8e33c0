"""Standard errors against NIST's certified ones, and against curve_fit."""

import importlib.util
from pathlib import Path

import jax.numpy as jnp
import nist
import numpy as np
import pytest
from scipy.optimize import curve_fit

import banach as bn

_FILE = Path(__file__).parents[1] / "methods" / "least_squares" / "test_nist.py"
_SPEC = importlib.util.spec_from_file_location("nist_problems", _FILE)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
PROBLEMS = _MODULE.PROBLEMS


def solved(name):
    model, y, x, starts, _, _ = PROBLEMS[name]
    y, x = np.array(y), np.array(x)
    problem = bn.least_squares(
        lambda b, x, y: model(b, x) - y, np.array(starts[1]), (x, y), data=y
    )
    return bn.solve(problem, tol=1e-10)


def test_every_nist_problem_of_the_suite_has_its_deviations():
    assert nist.DEVIATIONS.keys() == PROBLEMS.keys()


@pytest.mark.parametrize("name", nist.DEVIATIONS)
def test_standard_errors_are_the_certified_ones(name):
    u = bn.uncertainty(solved(name))
    np.testing.assert_allclose(u.standard_errors, nist.DEVIATIONS[name], rtol=2e-10)
    s, dof = nist.RESIDUAL_DEVIATIONS[name]
    assert np.sqrt(u.s2) == pytest.approx(s, rel=2e-10)
    assert u.degrees_of_freedom == dof and u.distribution == "t"
    assert u.digits >= 9 and u.solver_error < 1e-9
    assert u.names[:2] == ("x[0]", "x[1]")


def test_parameters_of_units_a_million_apart():
    y, x = np.array(nist.MGH10["y"]), np.array(nist.MGH10["x"])
    problem = bn.least_squares(
        lambda b: b["gain"] * jnp.exp(b["heat"] / (x + b["shift"])) - y,
        dict(zip(("gain", "heat", "shift"), nist.MGH10["start"], strict=True)),
        data=y,
    )
    u = bn.uncertainty(bn.solve(problem, tol=1e-10).require())
    assert u.names == ("gain", "heat", "shift")
    np.testing.assert_allclose(u.estimates, nist.MGH10["certified"], rtol=1e-8)
    np.testing.assert_allclose(u.standard_errors, nist.MGH10["deviations"], rtol=1e-8)
    assert u.condition > 1e3 and u.digits >= 6


def test_longley():
    data = np.array(nist.LONGLEY, float)
    model = bn.Ridge(
        data[:, 1:], data[:, 0], 0.0, intercept=True, columns=nist.LONGLEY_COLUMNS
    )
    u = bn.uncertainty(bn.solve(model, tol=1e-9))
    assert u.names == (*nist.LONGLEY_COLUMNS, "intercept")
    np.testing.assert_allclose(u.estimates, nist.LONGLEY_CERTIFIED, rtol=1e-9)
    np.testing.assert_allclose(u.standard_errors, nist.LONGLEY_DEVIATIONS, rtol=1e-11)
    assert u.solver_error_is == "bound" and u.solver_error < 1e-6
    true = abs(np.asarray(u.estimates) - nist.LONGLEY_CERTIFIED)
    assert np.all(true <= u.solver_error * np.asarray(nist.LONGLEY_DEVIATIONS) + 1e-8)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_curve_fit(weighted, absolute):
    rng = np.random.default_rng(3)
    t = np.linspace(0, 4, 30)
    sigma = 0.02 + 0.05 * t if weighted else np.ones(30)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + sigma * rng.normal(size=30) * 0.1

    def model(t, a, b, c):
        return a * np.exp(-b * t) + c

    best, pcov = curve_fit(
        model, t, y, (2.0, 1.0, 0.3), sigma=sigma, absolute_sigma=absolute,
        ftol=1e-15, xtol=1e-15, gtol=1e-15,
    )  # fmt: skip
    problem = bn.least_squares(
        lambda p: (p["a"] * jnp.exp(-p["b"] * t) + p["c"] - y) / sigma,
        {"a": 2.0, "b": 1.0, "c": 0.3},
        data=y / sigma,
    )
    u = bn.uncertainty(bn.solve(problem, tol=1e-12), sigma=1.0 if absolute else None)
    np.testing.assert_allclose(u.estimates, best, rtol=1e-6)
    np.testing.assert_allclose(u.covariance, pcov, rtol=1e-4)
    assert u.distribution == ("normal" if absolute else "t")
    np.testing.assert_allclose(np.diag(u.correlation), 1.0, rtol=1e-15)


def test_sigma_of_rows_that_were_not_weighed_by_it():
    """The estimator's own variance, (J'J)^-1 J'SJ (J'J)^-1, in its plain form."""
    rng = np.random.default_rng(4)
    A, sigma = rng.normal(size=(20, 2)), rng.uniform(0.1, 3, 20)
    y = A @ [1.0, -2.0] + sigma * rng.normal(size=20)
    r = bn.solve(bn.least_squares(lambda c: A @ c - y, np.zeros(2), data=y))
    u = bn.uncertainty(r, sigma=sigma)
    H = np.linalg.inv(A.T @ A)
    plain = H @ (A.T * sigma**2) @ A @ H
    np.testing.assert_allclose(u.covariance, plain, rtol=1e-10)
    assert any("weighed" in c for c in u.conditions)
    w = 1 / sigma**2
    weighed = bn.solve(bn.Ridge(A, y, 0.0, sample_weight=w))
    u = bn.uncertainty(weighed, sigma=sigma)
    np.testing.assert_allclose(u.covariance, np.linalg.inv(A.T * w @ A), rtol=1e-10)
    assert not any("weighed" in c for c in u.conditions)
    assert u.s2 == pytest.approx(
        np.sum(w * (A @ weighed.x - y) ** 2) / 18, rel=1e-10
    )  # fmt: skip
