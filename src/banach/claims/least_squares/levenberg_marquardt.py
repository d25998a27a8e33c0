"""Scaled as More scales it, the method is free of units and as quick as MINPACK.

Reduced: the tables of More (1978), section 8, could not be had; MINPACK's lmder, by the
same author, stands in for them on the same problems and starts (SciPy's leastsq, exact
Jacobian, its tests for convergence out of the way).
"""

import jax
import numpy as np
from scipy.optimize import leastsq

from banach.claims import runs
from banach.claims.course import Seen, at_most, proved, reported
from banach.claims.least_squares import _instances
from banach.methods.least_squares.levenberg_marquardt import LevenbergMarquardt

STEPS = 400


@proved("More 1978, section 6", at_most(1e-12))
def units():
    """Change of ||r|| over ten steps with parameters in units of 2^-20 to 2^20."""
    found = {}
    for name, problem in _instances.classical(1).items():
        D = np.diag(2.0 ** np.linspace(-20, 20, problem.x0.size).round())
        norms = [
            runs.trace(p, LevenbergMarquardt(), 10, r=runs.residual_norm)["r"]
            for p in (problem, _instances.moved(problem, D))
        ]
        found[name] = np.max(np.abs(norms[0] - norms[1])) / norms[0][0]
    return found


def minpack(problem):
    """The least ||r|| so far, after each evaluation of lmder."""
    residual = jax.jit(lambda x: problem.residual(x))
    jacobian = jax.jit(lambda x: problem.jacobian(x))
    seen = []

    def counted(x):
        r = np.asarray(residual(x))
        seen.append(np.linalg.norm(r))
        return r

    leastsq(
        counted, problem.x0, Dfun=lambda x: np.asarray(jacobian(x)), ftol=1e-15,
        xtol=1e-15, gtol=0.0, maxfev=STEPS, full_output=True,
    )  # fmt: skip
    # SciPy looks at the shapes of two results before MINPACK begins.
    return np.minimum.accumulate(seen[2:])


def reached(norms, target):
    """Evaluations until ||r|| is the target; infinite if never."""
    good = norms <= target
    return np.argmax(good) + 1.0 if good.any() else np.inf


@reported("More 1978, section 8 (More, Garbow and Hillstrom 1980: lmder)", at_most(1))
def evaluations():
    """Evaluations until ||r|| is within 1e-6 of the least either finds, over lmder's.

    On the four problems from x0, 10 x0 and 100 x0.
    """
    found, curves = {}, {}
    for name, problem in _instances.classical(1, 10, 100).items():
        rows = runs.trace(problem, LevenbergMarquardt(), STEPS, r=runs.residual_norm)
        ours, theirs = np.minimum.accumulate(rows["r"]), minpack(problem)
        target = min(ours[-1], theirs[-1]) * (1 + 1e-6) + 1e-10
        found[name] = reached(ours, target) / reached(theirs, target)
        if name.endswith(" 1 x0"):
            curves[name] = {"ours": ours[:60], "lmder": theirs[:60]}
    return Seen(found, curves, ("evaluations", "||r||"))
