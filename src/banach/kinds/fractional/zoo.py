"""Ready ratios by name; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Fractional")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("ratio:diabetes", "few of 10 features, over the three largest coefficients")
def _diabetes():
    from banach.kinds.fractional.problem import Fractional

    A, y = datasets.diabetes()
    y = y - y.mean()
    return Fractional(A, y, 0.1 * np.abs(A.T @ y).max(), 3)
