"""Broyden's method with a derivative-free search converges superlinearly.

Li and Fukushima (2000): where the Jacobian is regular at the root, ||e+|| / ||e|| tends
to 0 (the number of their theorem could not be verified). Broyden (1965): with one
Jacobian, worth n evaluations, a root costs fewer evaluations than by Newton's method.
Reduced: nothing; the baseline is Newton with a line search.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_least, at_most, proved, reported
from banach.claims.roots import _instances
from banach.methods.roots.broyden import Broyden
from banach.methods.roots.newton_root import NewtonRoot

PROBLEMS = _instances.systems(*_instances.REGULAR) | {"fresh": _instances.drawn()}


@proved("Li and Fukushima 2000 (superlinear convergence)", at_least(1))
def superlinear():
    """Digits that the second half of the steps gains, over those of the first half.

    Between the second error and 1e-9 of the first one: the first step is Newton's own.
    A linear rate, such as that of a fixed matrix, keeps it at 1.
    """
    found, curves = {}, {}
    for name, problem in PROBLEMS.items():
        x = runs.trace(problem, Broyden(), 40, x=runs.where)["x"]
        errors = np.linalg.norm(x - x[-1], axis=1)
        errors = errors[: np.argmax(errors < 1e-9 * errors[0]) + 1]
        gained = -np.diff(np.log(errors[1:]))
        half = len(gained) // 2
        found[name] = gained[-half:].sum() / gained[:half].sum()
        curves[name] = {"Broyden": errors}
    return Seen(found, curves, ("steps", "||x - x*||"))


@reported("Broyden 1965", at_most(1))
def evaluations():
    """Evaluations until ||F|| <= 1e-8, n a Jacobian, over those of Newton."""
    return {
        name: _instances.price(problem, Broyden(), 1e-8)
        / _instances.price(problem, NewtonRoot(), 1e-8)
        for name, problem in PROBLEMS.items()
    }
