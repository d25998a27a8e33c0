"""Ready fixed points of graph maps by name; listing them imports no jax."""

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("GraphFixedPoint")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("fixed_point:graph", "averages over neighbours on digits, 4 heads, 500 nodes")
def _graph():
    """Ten nearest neighbours of 500 digits; sharper averages from head to head.

    The bias is the one-hot label of every tenth digit: with gamma = 0.9 the fixed
    point spreads labels over the graph.
    """
    from banach.kinds.graph_fixed_point.problem import GraphFixedPoint

    A, y = datasets.digits()
    A, y = A[:500] / 16, y[:500]
    square = ((A[:, None] - A[None]) ** 2).sum(-1)
    np.fill_diagonal(square, np.inf)
    senders = np.argsort(square, axis=1)[:, :10]
    receivers = np.repeat(np.arange(500), 10)
    near = -square[receivers, senders.ravel()]
    scores = np.array([0.0, 0.25, 1.0, 4.0])[:, None] * near
    labels = np.zeros((500, 10))
    labels[::10] = np.eye(10)[y[::10]]
    bias = np.broadcast_to(labels, (4, 500, 10)).copy()
    return GraphFixedPoint(scores, bias, senders.ravel(), receivers, 0.9)
