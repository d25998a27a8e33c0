"""Ready linear systems by name; listing them imports no jax."""

from typing import Any

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Linear")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def right_side(solid: np.ndarray, seed: int) -> np.ndarray:
    """A smooth source and noise, zero on obstacles: what a fluid's pressure meets."""
    rng = np.random.default_rng(seed)
    n = len(solid)
    i, j = np.indices(solid.shape) / n
    b = rng.standard_normal(solid.shape)
    for _ in range(4):
        y, x = rng.uniform(0.1, 0.9, 2)
        b += 5 * rng.choice([-1, 1]) * np.exp(-((i - y) ** 2 + (j - x) ** 2) / 0.02)
    return np.where(solid, 0.0, b)


def _around(solid: np.ndarray, seed: int) -> Any:
    from banach.kinds.linear.problem import Linear
    from banach.parts.grid_laplacians import poisson_grid

    return Linear(poisson_grid(solid), right_side(solid, seed))


@_named("linear:poisson64", "Poisson, 64 x 64, no obstacles")
def _poisson64():
    return _around(np.zeros((64, 64), bool), 64)


@_named("linear:poisson128", "Poisson around obstacles with walls, 128 x 128")
def _poisson128():
    from banach.parts.grid_laplacians import obstacles

    return _around(obstacles(128, 128), 128)


@_named("linear:digits", "normal equations of ridge regression, digits, 64 pixels")
def _digits():
    from banach.kinds.linear.problem import normal_equations

    data = datasets.digits()
    return normal_equations(data.A / 16, data.y.astype(float), 1.0)
