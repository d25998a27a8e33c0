"""Scaled as More scales it, the method is free of units and as quick as MINPACK.

The tables of More (1978) could not be had: MINPACK's lmder, by the same author, stands
in for them, on the same problems from x0, 10 x0 and 100 x0 (SciPy's leastsq with exact
Jacobians, its tests for convergence out of the way).
"""

import jax
import numpy as np
from scipy.optimize import leastsq

from banach.claims import runs
from banach.claims.course import Seen, at_most, proved, reported
from banach.claims.least_squares import _instances
from banach.methods.least_squares.levenberg_marquardt import LevenbergMarquardt

STEPS = 400


@proved("More 1978 (invariance under scaling)", at_most(1e-12))
def units():
    """Change of ||r|| over ten steps with parameters in units of 2^-20 to 2^20."""
    found = {}
    for name, problem in _instances.classical(1).items():
        D = np.diag(2.0 ** np.linspace(-20, 20, problem.x0.size).round())
        found[name] = _instances.change(LevenbergMarquardt(), problem, D, 10)
    return found


def minpack(problem):
    """||r|| at each evaluation of lmder."""
    residual = jax.jit(lambda x: problem.residual(x))
    jacobian = jax.jit(lambda x: problem.jacobian(x))
    seen = []

    def counted(x):
        seen.append(np.asarray(residual(x)))
        return seen[-1]

    endless = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 0.0, "maxfev": STEPS}
    leastsq(counted, problem.x0, Dfun=lambda x: np.asarray(jacobian(x)), **endless)
    # SciPy looks at the shapes of two results before MINPACK begins.
    return np.linalg.norm(seen[2:], axis=1)


@reported("More 1978, tables (More, Garbow and Hillstrom 1980: lmder)", at_most(1))
def evaluations():
    """Evaluations to within 1e-6 of the least ||r|| that either finds, over lmder's."""
    found, curves = {}, {}
    for name, problem in _instances.classical(1, 10, 100).items():
        rows = runs.trace(problem, LevenbergMarquardt(), STEPS, r=runs.residual_norm)
        mine, theirs = rows["r"], minpack(problem)
        at = np.add(_instances.arrivals(mine, theirs), 1)
        found[name] = at[0] / at[1]
        if name.endswith(" 1 x0"):
            curves[name] = {"ours": mine[:60], "lmder": theirs[:60]}
    return Seen(found, curves, ("evaluations", "||r||"))
