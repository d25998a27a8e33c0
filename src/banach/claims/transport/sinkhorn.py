"""Sinkhorn distances are orders of magnitude faster than exact transport.

Reduced: 64 and 256 points (Cuturi: up to 2,048); passes over the cost for seconds,
beside shortest augmenting paths on equal weights (he: network simplexes). Left out:
sweeps by the dimension, of which he states no number, and classifying MNIST.
"""

import numpy as np

from banach.bridge.scipy import exact_transport
from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, proved, reported
from banach.claims.transport import _measure
from banach.kinds.transport.problem import Transport
from banach.methods.transport.sinkhorn import Sinkhorn


def distances(x, y):
    """Over their median."""
    C = np.sqrt(((x[:, None] - y) ** 2).sum(-1))
    return C / np.median(C)


def drawn():
    """Name -> cost and two histograms; 64 points in dimension 6."""
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((64, 6))
        yield name, (distances(x, x), *rng.dirichlet(np.ones(64), 2))


@proved("Franklin and Lorenz 1989", at_most(1 + 1e-6))
def contraction():
    """Hilbert's distance to the limit after a sweep over tanh(D / 4)^2 that before."""
    worst, curves = {}, {}
    for name, (C, a, b) in drawn():
        cross = np.ptp(C[:, None] - C[None], axis=2).max()
        for lam in (1, 9):
            problem = Transport(C, a, b, 1 / lam)
            g = lam * runs.trace(problem, Sinkhorn(), 400, x=runs.where)["x"][:, 64:]
            size = np.ptp(g - g[-1], axis=1)[1:]
            size = size[: np.argmax(size < 1e-9 * size[0])]
            rate = np.tanh(lam * cross / 4) ** 2
            worst[f"{name}, lambda {lam}"] = np.max(size[1:] / size[:-1]) / rate
            bound = size[0] * rate ** np.arange(len(size))
            curves[f"lambda {lam}"] = {"distance": size, "bound": bound}
    return Seen(worst, curves, ("sweeps", "Hilbert's distance"))


@reported("Cuturi 2013, convergence to the exact distance", at_most(1.0))
def nearness():
    """Cost less the exact one at lambda = 9, 50, 100 over that at the one before."""
    found = {}
    for name, (C, a, b) in drawn():
        best, above = exact_transport(C, a, b), []
        for lam in (1, 9, 50, 100):
            P = _measure.plan(Transport(C, a, b, 1 / lam), Sinkhorn(), 2000)
            above.append(np.sum(P * C) - best)
        found[name] = np.max(np.divide(above[1:], above[:-1]))
    return found


@reported("Cuturi 2013, several orders of magnitude faster", at_most(0.01))
def speed():
    """Passes over the cost at d = 256, lambda = 9, over those of augmenting paths."""
    found, even = {}, np.full(256, 1 / 256)
    for name, seed in instances.seeds().items():
        C = distances(*np.random.default_rng(seed).standard_normal((2, 256, 25)))
        problem = Transport(C, even, even, 1 / 9)
        end = _measure.until(problem, Sinkhorn(), 1e-2, 1000)
        found[name] = end.price("transform") / _measure.augmenting_passes(C)
    return found
