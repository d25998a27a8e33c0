"""Ready transport problems by name; listing them imports no jax."""

from typing import Any

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Transport")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def _grid() -> np.ndarray:
    return np.stack(np.divmod(np.arange(64), 8), axis=1).astype(float)


@_named("transport:digits", "digits 0 and 1 as histograms of 8 x 8 pixels")
def digits() -> Any:
    """Squared distances between the pixels of two images, which are the masses.

    Pixels without ink are dropped; eps is 0.01 of the median cost.
    """
    from banach.kinds.transport.problem import Transport

    data = datasets.digits()
    # The first image of each digit.
    first, second = (data.A[np.flatnonzero(data.y == d)[0]] for d in (0, 1))
    at = _grid()
    x, y = at[first > 0], at[second > 0]
    a, b = first[first > 0] / first.sum(), second[second > 0] / second.sum()
    C = np.sum((x[:, None] - y[None]) ** 2, axis=-1)
    return Transport(C, a, b, 0.01 * np.median(C))


@_named("transport:assignment", "random costs between 100 and 100 masses, eps = 0.002")
def assignment() -> Any:
    """Uniform random costs, equal masses."""
    from banach.kinds.transport.problem import Transport

    n = 100
    C = np.random.default_rng(5).random((n, n))
    return Transport(C, np.full(n, 1 / n), np.full(n, 1 / n), 2e-3)


@_named("transport:clouds", "200 to 150 points of Gaussian mixtures, no stored cost")
def clouds() -> Any:
    """A mixture of Gaussians to another, squared distances, never stored."""
    from banach.kinds.transport.problem import Transport

    draw = np.random.default_rng(6)
    centres = np.array([[0.0, 0.0], [2.0, 1.0], [-1.0, 2.0]])
    x = draw.normal(size=(200, 2)) * 0.5 + centres[draw.integers(0, 3, 200)]
    y = draw.normal(size=(150, 2)) * 0.3 + centres[draw.integers(0, 2, 150)] + 1
    return Transport.points(x, y, eps=0.05)
