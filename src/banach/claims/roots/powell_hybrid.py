"""Powell's hybrid method solves the classical systems with few Jacobians.

Powell (1970): carrying a matrix along with Broyden's update, the method needs a
Jacobian, worth n evaluations, only where steps fail. More, Garbow and Hillstrom (1980)
made it MINPACK's hybrj, which this reconstructs; SciPy runs theirs. Reduced: systems of
10 unknowns (50 in the H-equation); the baseline is Newton with a line search.
"""

import jax
import numpy as np
from scipy.optimize import root

from banach.claims.course import at_most, ours, reported
from banach.claims.roots import _instances
from banach.methods.roots.newton_root import NewtonRoot
from banach.methods.roots.powell_hybrid import PowellHybrid

LARGE = [*_instances.REGULAR, "brown_almost_linear", "trigonometric"]
TARGET = 1e-6


@reported("Powell 1970", at_most(1))
def jacobians():
    """Evaluations until ||F|| <= 1e-6, n a Jacobian, over those of Newton.

    On systems of 10 unknowns and more, where Jacobians are dear.
    """
    problems = _instances.systems(*LARGE) | {"fresh": _instances.drawn()}
    return {
        name: _instances.price(problem, PowellHybrid(), TARGET)
        / _instances.price(problem, NewtonRoot(), TARGET)
        for name, problem in problems.items()
    }


@reported("More, Garbow and Hillstrom 1980 (hybrj)", at_most(1.1, "mean"))
def minpack():
    """Evaluations until ||F|| <= 1e-6, n a Jacobian, over those of hybrj.

    Where both solve the system.
    """
    names = _instances.SMALL + _instances.REGULAR
    found = {}
    for name, problem in (
        _instances.systems(*names) | {"fresh": _instances.drawn()}
    ).items():
        both = _instances.price(problem, PowellHybrid(), TARGET), hybrj(problem)
        if np.isfinite(both).all():
            found[name] = both[0] / both[1]
    return found


@ours("a user's question", at_most(300))
def solved():
    """Evaluations until ||F|| <= 1e-6 over n, on every classical system."""
    names = _instances.SMALL + _instances.REGULAR
    problems = _instances.systems(*names)
    return {
        k: _instances.price(p, PowellHybrid(), TARGET) / p.size()
        for k, p in problems.items()
    }


def hybrj(problem):
    """What MINPACK pays for the same; infinite if it never gets there."""
    F = jax.jit(lambda x: problem.residual(x))
    J = jax.jit(lambda x: problem.jacobian(x))
    seen, jacobians = [], [0]

    def residual(x):
        r = np.asarray(F(x))
        seen.append((np.linalg.norm(r), len(seen) + 1 + problem.size() * jacobians[0]))
        return r

    def jacobian(x):
        jacobians[0] += 1
        return np.asarray(J(x))

    root(residual, problem.x0, jac=jacobian, method="hybr", options={"xtol": 1e-14})
    # SciPy looks at the shapes of F and J before MINPACK begins.
    paid = [at - 1 - problem.size() for size, at in seen if size <= TARGET]
    return paid[0] if paid else np.inf
