"""Ready finite sums by name; listing them imports no jax."""

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("FiniteSum")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named(
    "finite_sum:logistic_breast_cancer",
    "mean of 569 logistic losses, 30 features, intercept, l2 = 1/569",
)
def _logistic_cancer():
    from banach.kinds.glm.models import LogisticRegression

    data = datasets.breast_cancer()
    A = datasets.standardised(data.A)
    return LogisticRegression(A, data.y, 1.0).as_finite_sum()
