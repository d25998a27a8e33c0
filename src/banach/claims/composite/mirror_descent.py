"""A bound that knows the dimension by its logarithm only.

Beck and Teboulle (2003): for any steps t_k, min f(x_s) - f* is at most (log n + sum
t_s^2 ||g_s||^2 / 2) / sum t_s from the centre of the simplex, and sqrt(2 log n / k) max
||g_s|| where the steps are constant with k known. Here they fall, as their algorithm is
printed. The theorem numbers could not be had. Left out: their comparison with projected
subgradients.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.composite import _vertices
from banach.claims.course import Seen, at_most, ours, proved
from banach.kinds.composite.problem import Composite
from banach.methods.composite.mirror_descent import MirrorDescent
from banach.methods.composite.pairwise_frank_wolfe import PairwiseFrankWolfe

STEPS = 1000


@functools.lru_cache
def _tried():
    """Name -> best f - f* after k = 1 .. 1000 iterates, ||g_k|| and t_k."""
    found = {}
    for name, p in _vertices.quadratics().items():
        least = runs.states(PairwiseFrankWolfe(1.0), p, 3000).f.min()
        n = _vertices.N
        centre = Composite(p.smooth, p.term, np.full(n, 1 / n))
        run = runs.states(MirrorDescent(), centre, STEPS)
        size, k = np.abs(run.g).max(axis=1)[:-1], np.arange(1, STEPS + 1)
        t = np.sqrt(2 * np.log(n) / k) / run.slope[1:]
        found[name] = run.f[:-1] - least, size, t
    return found


@proved("Beck and Teboulle 2003, section 4 (any steps)", at_most(1.0))
def rate():
    """min f(x_s) - f* over its bound for the steps taken, the largest of 1,000."""
    worst, curves = {}, {}
    for name, (h, size, t) in _tried().items():
        limit = np.log(_vertices.N) + np.cumsum(t**2 * size**2) / 2
        limit = limit / np.cumsum(t)
        worst[name] = np.max(h / limit)
        curves[name] = {"f - f*": h, "bound": limit}
    return Seen(worst, curves, ("steps", "f - f*"))


@ours("the bound of constant steps, by steps that fall", at_most(1.0))
def horizon():
    """min f(x_s) - f* over sqrt(2 log n / k) max ||g_s||, the largest of 1,000."""
    found = {}
    for name, (h, size, _) in _tried().items():
        limit = np.sqrt(2 * np.log(_vertices.N) / np.arange(1, STEPS + 1))
        found[name] = np.max(h / limit / np.maximum.accumulate(size))
    return found
