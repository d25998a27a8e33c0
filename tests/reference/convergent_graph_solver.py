"""Convergent graph solver: Park, Choo and Park (2022), H = gamma A H + B by head."""

from types import SimpleNamespace

import numpy as np
from reference._case import Case

from banach.kinds.graph_fixed_point.problem import GraphFixedPoint

NODES, GAMMA = 9, 0.8
_rng = np.random.default_rng(2)
SENDERS, RECEIVERS = _rng.integers(0, NODES, (2, 25))
RECEIVERS[RECEIVERS == 4] = 5  # node 4 listens to nobody
SCORES, BIAS = _rng.standard_normal((3, 25)), _rng.standard_normal((3, NODES, 2))


def weights(scores):
    A = np.zeros((3, NODES, NODES))
    np.add.at(A, (slice(None), RECEIVERS, SENDERS), np.exp(scores))
    total = A.sum(axis=2, keepdims=True)
    return A / np.where(total > 0, total, 1)


def graph(gamma=GAMMA):
    """Three heads on nine nodes: both parts."""
    problem = GraphFixedPoint(SCORES, BIAS, SENDERS, RECEIVERS, gamma)
    return problem, SimpleNamespace(A=gamma * weights(SCORES), B=BIAS)


CASES = [
    Case(*graph(), told={"direct": True}, steps=3),
    Case(*graph(), given={"direct": False}),
]


def iterates(o, x0, steps, *, direct):
    H, out = x0.reshape(o.B.shape), []
    for _ in range(steps):
        step = o.A @ H + o.B - H
        H = H + (np.linalg.solve(np.eye(NODES) - o.A, step) if direct else step)
        out.append(H)
    return out
