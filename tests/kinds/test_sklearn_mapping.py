"""The parameter mappings in the docstrings, held against the peers' own solutions.

Each peer solves to high accuracy; its answer must pass our gap (or residual), which
it does only if objective, normalisation and intercept agree.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn import linear_model, svm

from banach.checks.gap import Gap
from banach.core.point import Point
from banach.kinds.glm import models

RNG = np.random.default_rng(3)
N, P = 40, 4
A = RNG.normal(size=(N, P)) + 0.5
B = A @ np.array([1.0, -2.0, 0.0, 0.5]) + 3 + 0.3 * RNG.normal(size=N)
SIGN = (B > 3).astype(int)
THREE = np.digitize(B, [2.0, 4.0])
COUNTS = RNG.poisson(np.exp(0.2 * B))
TIGHT = {"tol": 1e-14, "max_iter": 100_000}


def stacked(fit):
    return np.r_[np.ravel(fit.coef_), np.ravel(fit.intercept_)]


def lasso():
    fit = linear_model.Lasso(alpha=0.1, **TIGHT).fit(A, B)
    return models.Lasso(A, B, N * 0.1, intercept=True), stacked(fit)


def elastic_net():
    fit = linear_model.ElasticNet(alpha=0.2, l1_ratio=0.3, **TIGHT).fit(A, B)
    l1, l2 = N * 0.2 * 0.3, N * 0.2 * 0.7
    return models.ElasticNetRegression(A, B, l1, l2, intercept=True), stacked(fit)


def ridge():
    fit = linear_model.Ridge(alpha=2.0).fit(A, B)
    return models.Ridge(A, B, 2.0, intercept=True), stacked(fit)


def logistic():
    fit = linear_model.LogisticRegression(C=0.5, tol=1e-12, max_iter=10_000).fit(
        A, SIGN
    )
    return models.LogisticRegression(A, SIGN, 1 / 0.5), stacked(fit)


def softmax():
    fit = linear_model.LogisticRegression(
        C=2.0, solver="newton-cholesky", tol=1e-14, max_iter=1000
    ).fit(A, THREE)
    problem = models.SoftmaxRegression(A, THREE, 1 / 2.0)
    return problem, np.r_[fit.coef_.T, fit.intercept_[None]]


def poisson():
    fit = linear_model.PoissonRegressor(
        alpha=0.3, solver="newton-cholesky", tol=1e-14, max_iter=1000
    ).fit(A, COUNTS)
    return models.PoissonRegression(A, COUNTS, N * 0.3), stacked(fit)


def squared_hinge():
    fit = svm.LinearSVC(
        C=0.7, loss="squared_hinge", dual=False, fit_intercept=False, tol=1e-12
    ).fit(A, SIGN)
    problem = models.SquaredHingeClassifier(A, SIGN, 1 / (2 * 0.7))
    return problem, np.ravel(fit.coef_)


def huber():
    fit = linear_model.HuberRegressor(
        epsilon=1.2, alpha=0.5, tol=1e-10, max_iter=10_000
    ).fit(A, B)
    problem = models.HuberRegression(A, B, 1.2 * fit.scale_, fit.scale_ * 0.5)
    return problem, stacked(fit)


def box():
    fit = scipy.optimize.lsq_linear(A, B, (-0.5, 2.0), tol=1e-14, method="bvls")
    return models.BoxLeastSquares(A, B, -0.5, 2.0), fit.x


CASES = [
    lasso,
    elastic_net,
    ridge,
    logistic,
    softmax,
    poisson,
    squared_hinge,
    huber,
    box,
]


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_the_peers_solution_passes_our_gap(case):
    problem, x = case()

    @jax.jit
    def judge(problem, x):
        ready = Gap().prepared(problem)
        off = jnp.where(x == 0, 0.03, 1.03 * x)
        return ready(problem, Point(x), None, 0)[0], ready(
            problem, Point(off), None, 0
        )[0]

    at, off = judge(problem, x)
    # HuberRegressor stops where its objective stops falling by SciPy's factor.
    assert at.within(1e-6 if case is huber else 1e-8), float(at.ratio)
    assert not off.within(1e-5), float(off.ratio)


def test_nonnegative_least_squares_is_that_of_scipy():
    x, _ = scipy.optimize.nnls(A, B)
    assert np.any(x == 0)
    problem = models.NonnegativeLeastSquares(A, B)
    # A step for each column.
    scale = np.linalg.norm(A.T @ B * problem.residual_step())
    assert np.linalg.norm(problem.optimality(Point(x)).x) <= 1e-13 * scale
    assert np.linalg.norm(problem.optimality(Point(x + 0.01)).x) >= 1e-4 * scale
