"""Mixing matrices of graphs by name: symmetric, rows that add to one."""

import numpy as np

from banach.core.problem import Misuse

NAMES = ("ring", "line", "star", "complete")


def adjacency(name: str, workers: int) -> np.ndarray:
    """Which workers are joined, nobody to himself."""
    i = np.arange(workers)
    apart = np.abs(i[:, None] - i)
    joined = {
        "ring": (apart == 1) | (apart == workers - 1),
        "line": apart == 1,
        "star": (i[:, None] == 0) | (i == 0),
        "complete": apart >= 0,
    }
    if name not in joined:
        raise Misuse(f"a graph is one of {', '.join(NAMES)}, got {name!r}")
    return joined[name] & (apart > 0)


def metropolis(name: str, workers: int) -> np.ndarray:
    """W_ij = 1 / (1 + max(d_i, d_j)) on edges, what is left on the diagonal.

    Its eigenvalues lie in (-1, 1], and 1 is simple where the graph is connected.
    """
    A = adjacency(name, workers)
    d = A.sum(axis=1)
    W = np.where(A, 1 / (1 + np.maximum(d[:, None], d)), 0.0)
    return W + np.diag(1 - W.sum(axis=1))


def slowest(name: str, workers: int) -> float:
    """The largest modulus of W's eigenvalues beside the 1 of the mean."""
    W = metropolis(name, workers) - 1 / workers
    return float(np.max(np.abs(np.linalg.eigvalsh(W))))
