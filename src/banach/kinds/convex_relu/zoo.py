"""Ready two-layer ReLU networks in convex form; listing them imports no jax."""

from typing import Any

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("ConvexRelu")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def cancer(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Standardised features; labels -1 and 1."""
    data = datasets.breast_cancer()
    return scaled(datasets.standardised(data.A)[:n]), 2.0 * data.y[:n] - 1


def digits(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Threes (1) against eights (-1), 8 x 8 pixels."""
    data = datasets.digits()
    chosen = np.flatnonzero((data.y == 3) | (data.y == 8))[:n]
    return scaled(data.A[chosen]), np.where(data.y[chosen] == 3, 1.0, -1.0)


def plane(n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """The two leading principal components of the tumours."""
    A, y = cancer(n)
    return scaled(A @ np.linalg.svd(A, full_matrices=False)[2][:2].T), y


def scaled(A: np.ndarray) -> np.ndarray:
    """In units of the root mean square of the rows' norms."""
    return A / np.sqrt(np.mean(np.sum(A**2, axis=1)))


def _model(data: tuple[np.ndarray, np.ndarray], beta: float, **options: Any) -> Any:
    from banach.kinds.convex_relu.problem import ConvexRelu

    return ConvexRelu(*data, beta, **options)


@_named("relu:breast_cancer", "two-layer ReLU network, 200 x 30, 50 patterns")
def _cancer():
    return _model(cancer(), 1.0, patterns=50)


@_named("relu:digits", "two-layer ReLU network, threes and eights, 200 x 64")
def _digits():
    return _model(digits(), 1.0, patterns=50)


@_named("relu:plane", "two-layer ReLU network, 30 x 2, every pattern: global optimum")
def _plane():
    return _model(plane(), 0.5, patterns="all")


@_named("gated_relu:digits", "gated ReLU network, threes and eights, 200 x 64")
def _gated():
    return _model(digits(), 1.0, patterns=50, gated=True)
