"""Broyden's method with a derivative-free search converges superlinearly.

Li and Fukushima (2000): ||e+|| / ||e|| tends to 0 at regular roots, a limit. Broyden
(1965): with one Jacobian, worth n evaluations, fewer of them than by Newton's method.
"""

import numpy as np

from banach.claims.course import at_least, at_most, reported
from banach.claims.roots import _instances
from banach.methods.roots.broyden import Broyden


@reported("Li and Fukushima 2000 (superlinear convergence)", at_least(1))
def superlinear():
    """Digits gained by the second half of a run to 1e-9, over those of the first."""
    found = {}
    for name, problem in _instances.regular().items():
        errors, _ = _instances.errors(problem, Broyden(), 40)
        gained = -np.diff(np.log(errors[: np.argmax(errors < 1e-9 * errors[0]) + 1]))
        half = len(gained) // 2
        found[name] = gained[-half:].sum() / gained[:half].sum()
    return found


@reported("Broyden 1965", at_most(1, "mean"))
def evaluations():
    """Evaluations until ||F|| <= 1e-8, n a Jacobian, over those of Newton."""
    return _instances.over_newton(Broyden(), 1e-8)
