"""The dogleg descends from anywhere, and factorises less than Levenberg-Marquardt.

Powell (1970): a step along the bent path lowers ||r|| or the region shrinks, and the
run approaches a stationary point. Lourakis and Argyros (2005): it needs fewer
factorisations than Levenberg-Marquardt, of which each trial makes one. Reduced: their
bundle adjustments to the problems of More (1978) and to fits of a decay; what iterating
the damping costs Levenberg-Marquardt is not charged.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, proved, reported
from banach.claims.least_squares import _instances
from banach.methods.least_squares.dogleg import Dogleg
from banach.methods.least_squares.levenberg_marquardt import LevenbergMarquardt

STEPS = 400


def problems():
    """The classical ones from three starts, and decays."""
    return _instances.classical(1, 10, 100) | _instances.decays(0.1, 0.4)


def traced(problem, method):
    """||r||, x and calls of a run."""
    watch = {"r": runs.residual_norm, "x": runs.where}
    return runs.trace(problem, method, STEPS, **watch)


@proved("Powell 1970; Madsen, Nielsen and Tingleff 2004, section 3.3", at_most(1e-12))
def descent():
    """The largest relative rise of ||r|| in a step: rounding."""
    found, curves = {}, {}
    for name, problem in problems().items():
        r = traced(problem, Dogleg())["r"]
        found[name] = np.max(np.diff(r) / np.where(r[:-1] > 0, r[:-1], 1))
        if name.endswith(" 1 x0"):
            curves[name] = {"dogleg": r[:60]}
    return Seen(found, curves, ("steps", "||r||"))


@proved("Powell 1970", at_most(1e-6))
def stationary():
    """||P r|| / ||r|| at the end of runs from x0, P onto the range of J.

    Zero where ||r|| itself ends below 1e-10.
    """
    found = {}
    for name, problem in (_instances.classical(1) | _instances.decays(0.1)).items():
        rows = traced(problem, Dogleg())
        r, J = (
            np.asarray(f(rows["x"][-1])) for f in (problem.residual, problem.jacobian)
        )
        Q, _ = np.linalg.qr(J)
        size = np.linalg.norm(r)
        found[name] = 0.0 if size <= 1e-10 else np.linalg.norm(Q.T @ r) / size
    return found


@reported("Lourakis and Argyros 2005", at_most(1, "mean"))
def factorisations():
    """Factorisations over Levenberg-Marquardt's, to within 1e-6 of the least ||r||.

    Where both come there: elsewhere they end at different stationary points.
    """
    found = {}
    for name, problem in problems().items():
        ours, theirs = (traced(problem, m) for m in (Dogleg(), LevenbergMarquardt()))
        target = min(ours["r"][-1], theirs["r"][-1]) * (1 + 1e-6) + 1e-10
        if max(ours["r"][-1], theirs["r"][-1]) <= target:
            found[name] = (
                ours["jacobian"][np.argmax(ours["r"] <= target)]
                / theirs["residual"][np.argmax(theirs["r"] <= target)]
            )
    return found
