"""ISTA converges like 1 / k, with a constant step or with backtracking.

Reduced: images of 64 x 64 (theirs 256 x 256). Our backtracking also lets L shrink
between steps; the proof needs no more than that L is at most twice the true one.
"""

import numpy as np

from banach.claims.composite import _instances
from banach.claims.course import at_most, ours, proved

METHODS = {
    "1 / L": (_instances.ista, lambda square, k: square / (2 * k)),
    "backtracking": (_instances.backtracking, lambda square, k: square / k),
}


@proved("Beck and Teboulle 2009, theorem 3.1", at_most(1.0))
def rate():
    """F(x_k) - F* over a L R^2 / (2 k), a = 1 or 2, the largest of 1,000 steps."""
    return _instances.against(METHODS)


@proved("Beck and Teboulle 2009, section 3, the values of ISTA", at_most(1e-13))
def descent():
    """The largest rise of F in a step over F(x_0), to rounding."""
    found = {}
    for name, problem in _instances.problems().items():
        for how, (make, _) in METHODS.items():
            f = _instances.values(problem, make)["f"]
            found[f"{name}, {how}"] = np.max(np.diff(f)) / f[0]
    return found


@ours("a user's question", at_most(1.5))
def price_of_not_knowing():
    """Gradients to the value of 1,000 steps of 1 / L, by backtracking over those."""
    return _instances.prices(_instances.problems(), _instances.backtracking)
