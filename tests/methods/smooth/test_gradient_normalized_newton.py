"""Gradient-normalised Newton: reference, curvature operators, the noise floor."""

import jax.numpy as jnp
import newton_case as case
import numpy as np
from reference import gradient_normalized_newton as reference

from banach.core.facts import Facts
from banach.kinds.least_squares.problem import least_squares
from banach.methods.smooth._hessian_models import (
    Exact,
    GaussNewton,
    Given,
    MatrixFree,
    Zero,
)
from banach.methods.smooth.gradient_normalized_newton import GradientNormalizedNewton


def majorant(problem, x):
    (a,) = problem.args
    return jnp.matmul(a.T, a) / 4 + case.L2 * jnp.eye(case.N)


def test_iterates_equal_the_reference():
    metric = case.A.T @ case.A / case.ROWS
    fixed = case.A.T @ case.A / 4 + case.L2 * np.eye(case.N)
    cases = (
        (Exact(), None, case.hess, 8),
        (Exact(), metric, case.hess, 8),
        (Given(majorant), None, lambda x: fixed, 12),
        (Zero(), metric, lambda x: 0 * fixed, 12),
    )
    for operator, B, C, steps in cases:
        method = GradientNormalizedNewton(operator, gamma=0.7, metric=B)
        _, xs = case.states(case.problem(), method, steps)
        theirs = reference.iterates(
            case.ORACLES,
            case.X0,
            steps,
            gamma=0.7,
            metric=np.eye(case.N) if B is None else B,
            curvature=C,
        )
        # Below 1e-7 the reference's own test of values is rounding.
        live = [np.linalg.norm(case.grad(x)) > 1e-6 for x in theirs]
        assert sum(live) >= 6
        np.testing.assert_allclose(
            xs[live], np.array(theirs)[live], rtol=1e-10, atol=1e-12
        )


def test_reaches_the_rounding_error_of_the_gradient():
    for operator, steps in ((Exact(), 30), (MatrixFree(), 40)):
        states, xs = case.states(
            case.problem(), GradientNormalizedNewton(operator), steps
        )
        size = [np.linalg.norm(case.grad(x)) for x in (case.X0, *xs)]
        assert min(size) <= 1e-13 * size[0]
        values = np.array([float(s.f) for s in states])
        assert np.all(np.diff(values) <= 1e-14 * values[0])


def test_counts():
    method = GradientNormalizedNewton(Exact(), gamma=100.0)
    states, _ = case.states(case.problem(case.X0 * 30), method, 5)
    calls = {k: int(v) for k, v in method.calls(states[-1]).items()}
    assert calls["hess"] == 5
    assert calls["grad"] == calls["value"] == 1 + int(states[-1].factorisations)
    assert calls["grad"] > 6
    free = GradientNormalizedNewton(MatrixFree())
    states, _ = case.states(case.problem(), free, 3)
    assert int(free.calls(states[-1])["hvp"]) >= 6
    assert float(states[-1].residual) <= 1.1e-2


def test_gauss_newton_and_indefinite_hessians_on_rosenbrock():
    def residual(x):
        return jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])

    problem = least_squares(residual, np.array([-1.2, 1.0, -1.2]))
    suggested = GradientNormalizedNewton.suggest(problem, problem.facts())
    assert isinstance(suggested.curvature, GaussNewton)
    for operator in (GaussNewton(), Exact(), MatrixFree()):
        method = GradientNormalizedNewton(operator)
        states, xs = case.states(problem, method, 60)
        np.testing.assert_allclose(xs[-1], np.ones(3), atol=1e-8)
        assert np.all(np.diff([float(s.f) for s in states]) <= 0)


def test_suggest_takes_the_hessian_where_it_is_dense():
    method = GradientNormalizedNewton.suggest(case.problem(), Facts())
    assert isinstance(method.curvature, Exact)
