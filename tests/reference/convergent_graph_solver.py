"""Convergent graph solver: Park, Choo and Park (2022), H = gamma A H + B by head."""

from types import SimpleNamespace

import numpy as np
from reference._case import Case

from banach.kinds.graph_fixed_point.problem import GraphFixedPoint

NODES, EDGES, GAMMA = 9, 25, 0.8
_rng = np.random.default_rng(2)
SENDERS, RECEIVERS = _rng.integers(0, NODES, (2, EDGES))
RECEIVERS[RECEIVERS == 4] = 5  # node 4 listens to nobody
SCORES = _rng.standard_normal((3, EDGES))
BIAS = _rng.standard_normal((3, NODES, 2))


def weights(scores, senders, receivers, nodes):
    A = np.zeros((len(scores), nodes, nodes))
    for h, row in enumerate(scores):
        for s, j, i in zip(row, senders, receivers, strict=True):
            A[h, i, j] += np.exp(s)
    total = A.sum(axis=2, keepdims=True)
    return A / np.where(total > 0, total, 1)


def graph():
    """Three heads on nine nodes: both parts."""
    A = weights(SCORES, SENDERS, RECEIVERS, NODES)
    return GraphFixedPoint(SCORES, BIAS, SENDERS, RECEIVERS, GAMMA), SimpleNamespace(
        A=A, B=BIAS, gamma=GAMMA
    )


CASES = [
    Case(*graph(), told={"direct": True}, steps=3),
    Case(*graph(), given={"direct": False}),
]


def iterates(o, x0, steps, *, direct):
    H, out = x0.reshape(o.B.shape), []
    for _ in range(steps):
        step = o.gamma * o.A @ H + o.B - H
        if direct:
            step = np.linalg.solve(np.eye(NODES) - o.gamma * o.A, step)
        H = H + step
        out.append(H)
    return out
