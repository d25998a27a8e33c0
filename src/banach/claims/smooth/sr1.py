"""SR1 finds the Hessian of a quadratic in n steps, whatever the steps.

Reduced: at most 40 unknowns. The theorem is one of exact arithmetic: rounding, which
small denominators r.p amplify, leaves 1e-5 on some quadratics, hence 1e-3. Conn, Gould
and Toint, and Byrd, Khalfan and Schnabel, compare within their own trust regions; the
BFGS here searches along lines, as its users run it.
"""

import functools

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.bfgs import Bfgs
from banach.methods.smooth.sr1 import Sr1

N = 8
SMALL = ("rosenbrock:10", "dixon_price:10", "beale", "logistic:10", "trigonometric:5")


def error(matrix, H):
    """||B - H|| / ||H||, spectral."""
    return np.linalg.norm(matrix - H, 2) / np.linalg.norm(H, 2)


@proved("Nocedal and Wright 2006, theorem 6.1", at_most(1e-3))
def hessian():
    """||B - H|| / ||H|| after n steps on a quadratic of n unknowns."""
    return {
        name: error(_states.states(Sr1(np.inf), p, N).matrix[-1], p.args[0])
        for name, p in instances.bowls(N, 100.0).items()
    }


def end(method, problem):
    """The first state of 120 whose gradient fell by 1e-10, or the last: its index."""
    rows = _states.states(method, problem, 120)
    size = np.linalg.norm(rows.g, axis=1)
    return rows, int(np.argmax(size <= 1e-10 * size[0])) or 120


@reported("Conn, Gould and Toint 1991", at_most(1.0, "mean"))
def matrices():
    """||B - H|| at the solution over that of BFGS's matrix."""
    found = {}
    for name, problem in _instances.functions(*SMALL).items():
        rows, k = end(Sr1(np.inf), problem)
        H = np.asarray(problem.hess(rows.x[k]))
        other, j = end(Bfgs(0.9), problem)
        theirs = np.linalg.inv(other.known.matrix[j])
        found[name] = error(rows.matrix[k], H) / error(theirs, H)
    return found


@functools.cache
def race():
    """Evaluations until ||g|| fell by 1e-8."""
    methods = {"sr1": lambda p: Sr1(np.inf), "bfgs": lambda p: Bfgs(0.9)}
    return _instances.gradients(_instances.DENSE, methods, {}, {"SciPy": ("BFGS", {})})


@reported("Byrd, Khalfan and Schnabel 1996", at_most(1.0, "mean"))
def evaluations():
    """Evaluations until ||g|| fell by 1e-8 over those of bfgs."""
    return runs.ratios(race(), "sr1", "bfgs")


@ours("a user's question", at_most(1.1, "mean"))
def scipy():
    """The same over SciPy's BFGS."""
    return runs.ratios(race(), "sr1", "SciPy")
