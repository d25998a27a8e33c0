"""Ready generalised linear models by name; listing them imports no jax."""

from typing import Any

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("GLM")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def _models() -> Any:
    from banach.kinds.glm import models as glm_models

    return glm_models


def _cancer() -> tuple[np.ndarray, np.ndarray]:
    data = datasets.breast_cancer()
    return datasets.standardised(data.A), data.y


def _pixels() -> tuple[np.ndarray, np.ndarray]:
    data = datasets.digits()
    return data.A / 16, data.y


@_named("logistic:breast_cancer", "l2 logistic regression, 569 x 30, intercept, l2 = 1")
def _logistic_cancer():
    return _models().LogisticRegression(*_cancer(), 1.0)


@_named("logistic:digits", "l2 logistic regression, digits 5-9 against 0-4, 1797 x 64")
def _logistic_digits():
    A, y = _pixels()
    return _models().LogisticRegression(A, (y >= 5).astype(np.int64), 1.0)


@_named("sparse_logistic:breast_cancer", "l1 logistic regression, 569 x 30, lam = 5")
def _sparse_logistic():
    return _models().SparseLogisticRegression(*_cancer(), 5.0)


@_named("squared_hinge:breast_cancer", "l2 squared hinge classifier, 569 x 30")
def _hinge():
    return _models().SquaredHingeClassifier(*_cancer(), 1.0, intercept=True)


@_named("softmax:iris", "l2 softmax regression, 150 x 4, 3 classes, intercept")
def _softmax_iris():
    data = datasets.iris()
    return _models().SoftmaxRegression(datasets.standardised(data.A), data.y, 1.0)


@_named("softmax:digits", "l2 softmax regression, 1797 x 64, 10 classes, intercept")
def _softmax_digits():
    return _models().SoftmaxRegression(*_pixels(), 1.0)


@_named("lasso:diabetes", "Lasso, 442 x 10, intercept, lam = a tenth of the largest")
def _lasso():
    data = datasets.diabetes()
    lam = 0.1 * np.max(np.abs(data.A.T @ (data.y - data.y.mean())))
    return _models().Lasso(data.A, data.y, lam, intercept=True)


@_named(
    "elasticnet:diabetes", "elastic net, 442 x 10, intercept, l1 = 44.2, l2 = 0.442"
)
def _elastic_net():
    data = datasets.diabetes()
    return _models().ElasticNetRegression(data.A, data.y, 44.2, 0.442, intercept=True)


@_named("grouplasso:diabetes", "group Lasso, 442 x 10: age and sex, body, blood values")
def _group_lasso():
    data = datasets.diabetes()
    groups = ((0, 1), (2, 3), tuple(range(4, 10)))
    return _models().GroupLasso(data.A, data.y, 100.0, groups, intercept=True)


@_named("ridge:diabetes", "ridge regression, 442 x 10, intercept, l2 = 1")
def _ridge():
    data = datasets.diabetes()
    return _models().Ridge(data.A, data.y, 1.0, intercept=True)


@_named("leastsquares:diabetes", "least squares, 442 x 10, intercept, no term")
def _least_squares():
    from banach.kinds.glm.losses import SquaredLoss
    from banach.kinds.glm.problem import GLM

    data = datasets.diabetes()
    return GLM(data.A, data.y, SquaredLoss(), intercept=True)


@_named("huber:diabetes", "Huber regression, 442 x 10, delta = 50, l2 = 0.1")
def _huber():
    data = datasets.diabetes()
    return _models().HuberRegression(data.A, data.y, 50.0, 0.1)


@_named("poisson:generated", "l2 Poisson regression, generated, 500 x 20, intercept")
def _poisson():
    rng = np.random.default_rng(7)
    A = rng.normal(size=(500, 20))
    mean = np.exp(0.5 + 0.2 * A @ rng.normal(size=20))
    return _models().PoissonRegression(A, rng.poisson(mean), 1.0)


@_named("nnls:digits", "one digit from 200 others with weights >= 0, 64 x 200")
def _nnls():
    A, _ = _pixels()
    return _models().NonnegativeLeastSquares(A[1:201].T, A[0])


@_named("box:diabetes", "least squares with coefficients in [-300, 300], 442 x 10")
def _box():
    data = datasets.diabetes()
    target = data.y - data.y.mean()
    return _models().BoxLeastSquares(data.A, target, -300.0, 300.0)


@_named("simplex:digits", "one digit as an average of 200 others, 64 x 200")
def _simplex():
    A, _ = _pixels()
    return _models().SimplexLeastSquares(A[1:201].T, A[0])
