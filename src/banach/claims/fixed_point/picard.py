"""The contraction principle: q^k, and an error known from the last step taken.

Banach (1922): ||x_k - x*|| is at most q^k / (1 - q) ||x_1 - x_0|| and at most
q / (1 - q) ||x_k - x_{k-1}||. Krasnoselskii (1955), Mann (1953): where T is only
nonexpansive, averaged steps find a fixed point; in Hilbert space the residual is at
most 2 R / sqrt(k + 1). Reduced: nothing.
"""

import functools

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved
from banach.claims.fixed_point import _instances as maps
from banach.claims.minimax._instances import rotations
from banach.kinds.fixed_point.problem import FixedPoint
from banach.methods.fixed_point.picard import Picard


@functools.cache
def ranks():
    """PageRank of 500 digits and of a drawn graph: errors over both bounds."""
    found = {}
    for q in (0.85, 0.99):
        for make in (maps.digits_pagerank, maps.drawn_pagerank):
            problem = make(500, q)
            M, b = problem.args
            best = np.linalg.solve(np.eye(500) - M, b)
            x = runs.trace(problem, Picard(1.0), 300, x=runs.where)["x"]
            error = np.abs(x - best).sum(axis=1)[1:]
            last = q / (1 - q) * np.abs(np.diff(x, axis=0)).sum(axis=1)
            first = q ** np.arange(300) * last[0]
            sure = error > 1e-10  # below that the direct solve is no truth
            both = [error[sure] / bound[sure] for bound in (first, last)]
            found[f"{make.__name__}, q = {q}"] = both
    return found


@proved("Banach 1922, before the run", at_most(1.0))
def before():
    """Error over q^k / (1 - q) ||x_1 - x_0|| in 1-norms, the largest of 300 steps."""
    return {name: np.max(first) for name, (first, _) in ranks().items()}


@proved("Banach 1922, from the last step", at_most(1.0))
def after():
    """Error over q / (1 - q) ||x_k - x_{k-1}||, the largest of 300 steps."""
    return {name: np.max(last) for name, (_, last) in ranks().items()}


def turned(z, problem):
    """T z, the inclusion being z - T z = 0."""
    return z - problem.operator(z)


@proved("Krasnoselskii 1955, the fall of ||x - x*||^2 summed", at_most(1.0))
def averaged():
    """||T(x_k) - x_k|| over 2 R / sqrt(k + 1) for lam = 1/2; R = 1, 2,000 steps."""
    found, k = {}, np.arange(2001)
    for name, problem in instances.drawn(rotations).items():
        made = FixedPoint(turned, problem.z0, (problem,), nonexpansive=True)
        moved = runs.trace(made, Picard(0.5), 2000, f=maps.moved)["f"]
        found[name] = np.max(moved * np.sqrt(k + 1) / 2)
    return found


@ours("a user's question", at_most(100.0), few="the four graphs of the bounds")
def loose():
    """The bound from the last step over the error, the largest of 300 steps."""
    return {name: np.max(1 / last) for name, (_, last) in ranks().items()}
