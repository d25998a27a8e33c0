"""Conjugate gradients end after n steps and come closer at each; their bound holds.

In exact arithmetic: the end is tried where rounding cannot hide it (condition 4, at
most eight eigenvalues). The numbers of Hestenes and Stiefel's theorems are unverified.
"""

import numpy as np

from banach.claims.course import Seen, at_most, fresh, proved
from banach.claims.linear import _instances
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.parts.preconditioners import Plain

PLAIN = ConjugateGradient(Plain())


@proved("Trefethen and Bau 1997, theorem 38.5", at_most(1.0))
def bound():
    """The energy error over 2 ((sqrt k - 1) / (sqrt k + 1))^t of the first."""
    worst, curves = {}, {}
    for name, (e, _, k) in _instances.rows(PLAIN, 80).items():
        root = np.sqrt(k)
        line = 2 * ((root - 1) / (root + 1)) ** np.arange(len(e)) * e[0]
        worst[name] = np.max((e - 1e-13 * root * e[0]) / line)  # x is rounded
        curves[name] = {"error": e, "bound": line}
    return Seen(worst, curves, ("steps", "energy norm of the error"))


@proved("Hestenes and Stiefel 1952, each estimate is closer", at_most(1e-13))
def closer():
    """The largest rise of ||x - x*|| over the first, and over the condition."""
    rows = _instances.rows(PLAIN, 80).items()
    return {name: np.max(np.diff(e)) / e[0] / k for name, (_, e, k) in rows}


@proved("Hestenes and Stiefel 1952, abstract", at_most(1e-9))
def finite():
    """What is left of the energy error after as many steps as eigenvalues."""
    found = {}
    for k, seed in {2: 2, 4: 4, 6: 6, 8: 8, 7: fresh()}.items():
        problem = _instances.spectrum(np.repeat(np.linspace(1, 4, k), 5), seed)
        e, *_ = _instances.errors(problem, PLAIN, k)
        found[f"{k} eigenvalues" + ", fresh" * (k == 7)] = e[-1] / e[0]
    return found
