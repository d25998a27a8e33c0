"""DIGing of Nedic, Olshevsky and Shi (2017) on a line of three workers, or all."""

import numpy as np
from reference import _local
from reference._case import Case

# Degrees 1, 2, 1: each edge has 1 / 3, and the ends keep 2 / 3; eigenvalues 1, 2/3, 0.
LINE = np.array([[2, 1, 0], [1, 1, 1], [0, 1, 2]]) / 3
ALL = np.full((3, 3), 1 / 3)
CASES = [
    # Three on a ring are all joined.
    Case(
        _local.problem(),
        _local.ORACLES,
        told={"W": ALL, "step_size": 1 / (4 * _local.L), "graph": "ring"},
    ),
    Case(
        _local.problem(),
        _local.ORACLES,
        given={"graph": "line"},
        told={"W": LINE, "step_size": 1 / (36 * _local.L)},
    ),
    Case(
        _local.problem(),
        _local.ORACLES,
        given={"graph": "star", "step_size": 0.05},
        told={"W": LINE[np.ix_([1, 0, 2], [1, 0, 2])]},
    ),
]


def iterates(oracles, x0, steps, *, W, step_size, graph):
    x, out = np.stack([x0] * 3), []
    g = oracles.own(x)
    y = g
    for _ in range(steps):
        x, old = W @ x - step_size * y, g
        g = oracles.own(x)
        y = W @ y + g - old
        out.append(x.mean(axis=0))
    return out
