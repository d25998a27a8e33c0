"""Restarts make primal-dual steps linear on linear programs, in fewer steps.

Applegate, Hinder, Lu and Lubin (2023). Reduced: basis pursuit on 6 rows of diabetes,
10 unknowns, by five choices of rows; theirs are LPs of up to millions. From memory of
their section 6, the fixed frequency is the best of powers of four, and small is a
relative KKT error of 1e-6; here it is the residual of one step, relative to the first.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved, reported
from banach.core import tree
from banach.core.point import Point
from banach.kinds.structured.problem import Structured
from banach.methods.splitting.chambolle_pock import ChambollePock
from banach.methods.splitting.restarted_pdhg import RestartedPdhg
from banach.terms.norms import L1
from banach.terms.sets import Box
from banach.zoo import datasets

CAP, POWERS = 200_000, [4**k for k in range(1, 8)]


def pursuits():
    """The sparsest weights of 10 columns that fit 6 people of diabetes exactly."""
    A, y = datasets.diabetes()
    y, found = (y - y.mean()) / y.std(), {}
    for name, seed in instances.seeds().items():
        rows = np.random.default_rng(seed).choice(len(A), 6, replace=False)
        zero = np.zeros(A.shape[1])
        b = y[rows]
        found[name] = Structured(None, L1(1.0), Box(b, b), A[rows] / 0.05, zero)
    return found


def residual(problem, point):
    """||(x - x+, y - y+)|| of the check's own step."""
    y = problem.zero_dual() if point.dual is None else point.dual
    step = problem.optimality(Point(point.x, y))
    return tree.norm((step.x, step.dual))


def _steps(problem, method):
    return runs.until(problem, method, residual, 1e-6, CAP).price("steps")


def _restarted(problem, period):
    return _steps(problem, runs.suggested(RestartedPdhg, problem, period=period))


@proved("Applegate et al. 2023, property of PDHG: the average's gap", at_most(1.0))
def sublinear():
    """Largest t L(x_t, y*) - L(x*, y_t) over |z0 - z*|^2_M / 2, 2,000 steps, no
    restart; M = [[1 / tau, -K'], [-K, 1 / sigma]]."""
    found = {}
    for name, problem in pursuits().items():
        method = runs.suggested(RestartedPdhg, problem, period=10**6)
        s = runs.states(method, problem, 2000)
        far = runs.suggested(RestartedPdhg, problem, period=256)
        end = runs.states(far, problem, 30_000)
        x, y = end.x[-1], end.y[-1]
        K, b = np.asarray(problem.K.entries), np.asarray(problem.h.lower)
        left = np.abs(s.x).sum(1) + (s.x @ K.T - b) @ y
        right = np.abs(x).sum() + s.y @ (K @ x - b)
        size = x @ x / method.tau + y @ y / method.sigma - 2 * y @ K @ x
        counts = np.arange(len(s.x))
        found[name] = np.max(counts * (left - right)) / (size / 2)
    return found


@reported("Applegate et al. 2023, section 6: best fixed frequency", at_most(1.0))
def restarts():
    """Steps with the best period of powers of four over those without restarts."""
    found = {}
    for name, problem in pursuits().items():
        bare = _steps(problem, runs.suggested(ChambollePock, problem))
        found[name] = min(_restarted(problem, k) for k in POWERS) / bare
    return found


@ours("a user's question", at_most(1.0, "mean"))
def by_default():
    """The same with the default period of 64."""
    return {
        name: _restarted(problem, 64)
        / _steps(problem, runs.suggested(ChambollePock, problem))
        for name, problem in pursuits().items()
    }
