"""Ready networks with margins by name; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("NetworkFeasibility")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def digits(activation="relu", hidden=32, n=1347, seed=0):
    """(problem, other inputs, their labels): a 64-hidden-10 network on n digits."""
    from banach.kinds.network_feasibility.problem import NetworkFeasibility

    data = datasets.digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.y))
    A, y = data.A[order] / 16, data.y[order].astype(int)
    weights = tuple(
        np.c_[rng.normal(size=(units, width)) / np.sqrt(width), np.zeros(units)]
        for units, width in ((hidden, 64), (10, hidden))
    )
    problem = NetworkFeasibility(A[:n], y[:n], weights, activation)
    return problem, A[n:], y[n:]


@_named("feasibility:digits", "a 64-32-10 ReLU network with margins on 300 digits")
def _digits():
    return digits(n=300)[0]


@_named("feasibility:step", "a 64-64-10 network of step functions on 100 digits")
def _step():
    return digits("step", 64, 100)[0]
