"""The dogleg descends from anywhere, and factorises less than Levenberg-Marquardt.

Reduced: the bundle adjustments of Lourakis and Argyros to the problems of More (1978)
and to fits of a decay. Each trial of Levenberg-Marquardt makes a factorisation; what
iterating its damping costs is not charged.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, ours, proved, reported
from banach.claims.least_squares import _instances
from banach.methods.least_squares.dogleg import Dogleg
from banach.methods.least_squares.levenberg_marquardt import LevenbergMarquardt


@functools.cache
def traced(method):
    """Runs on the classical problems from three starts, and on decays."""
    problems = _instances.classical(1, 10, 100) | _instances.decays(0.1, 0.4)
    watch = {"r": runs.residual_norm, "share": _instances.share}
    return {k: runs.trace(p, method(), 400, **watch) for k, p in problems.items()}


@proved("Powell 1970; Madsen, Nielsen and Tingleff 2004 (descent)", at_most(1e-12))
def descent():
    """The largest relative rise of ||r|| in a step: rounding."""
    r = {k: v["r"] for k, v in traced(Dogleg).items()}
    curves = {k: {"dogleg": v[:60]} for k, v in r.items() if k.endswith(" 1 x0")}
    found = {k: np.max(np.diff(v) / np.maximum(v[:-1], 1e-300)) for k, v in r.items()}
    return Seen(found, curves, ("steps", "||r||"))


@reported("Lourakis and Argyros 2005", at_most(1, "mean"))
def factorisations():
    """Factorisations over Levenberg-Marquardt's, where both find the same ||r||."""
    found, others = {}, traced(LevenbergMarquardt)
    for name, mine in traced(Dogleg).items():
        at = _instances.arrivals(mine["r"], others[name]["r"])
        if np.isfinite(at).all():
            found[name] = mine["jacobian"][at[0]] / others[name]["residual"][at[1]]
    return found


@ours("a user's question (stationary points)", at_most(1e-6))
def stationary():
    """||P r|| / ||r|| at the end, P onto the range of J; 0 where ||r|| <= 1e-10."""
    near = {k: v for k, v in traced(Dogleg).items() if " 10" not in k}
    return {k: v["share"][-1] * (v["r"][-1] > 1e-10) for k, v in near.items()}
