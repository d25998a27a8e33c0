"""Powell's hybrid method solves the classical systems with few Jacobians.

Powell (1970): carrying a matrix along with Broyden's update, the method needs a
Jacobian, worth n evaluations, only where steps fail. More, Garbow and Hillstrom (1980)
made it MINPACK's hybrj, which this reconstructs; SciPy runs theirs. Reduced: systems of
10 unknowns (50 in the H-equation); the baseline is Newton with a line search.
"""

import jax
import numpy as np
from scipy.optimize import root

from banach.claims.course import at_most, reported
from banach.claims.roots import _instances
from banach.methods.roots.powell_hybrid import PowellHybrid

TARGET = 1e-6


@reported("Powell 1970", at_most(1))
def jacobians():
    """Evaluations until ||F|| <= 1e-6, n a Jacobian, over those of Newton."""
    return _instances.over_newton(PowellHybrid(), TARGET)


@reported("More, Garbow and Hillstrom 1980 (hybrj)", at_most(1, "mean"))
def minpack():
    """The same evaluations over those of hybrj, where both solve the system."""
    problems = _instances.classical()
    paid = {k: _instances.price(p, PowellHybrid(), TARGET) for k, p in problems.items()}
    theirs = {k: hybrj(p) for k, p in problems.items()}
    return {
        k: v / theirs[k] for k, v in paid.items() if np.isfinite([v, theirs[k]]).all()
    }


def hybrj(problem):
    """What MINPACK pays for the same; infinite if it never gets there."""
    F = jax.jit(lambda x: problem.residual(x))
    J = jax.jit(lambda x: problem.jacobian(x))
    seen, paid, spent = [], [], [0]

    def residual(x):
        spent[0] += 1
        seen.append(np.asarray(F(x)))
        paid.append(spent[0])
        return seen[-1]

    def jacobian(x):
        spent[0] += problem.size()
        return np.asarray(J(x))

    root(residual, problem.x0, jac=jacobian, method="hybr", options={"xtol": 1e-14})
    good = np.linalg.norm(seen, axis=1) <= TARGET
    # SciPy looks at the shapes of F and J before MINPACK begins.
    return paid[np.argmax(good)] - 1 - problem.size() if good.any() else np.inf
