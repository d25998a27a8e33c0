"""BFGS ends on a quadratic of n unknowns in n steps, and is superlinear elsewhere.

Reduced: at most 40 unknowns. Superlinear is a limit: it is asked for as fewer steps
for the second five digits of x than for the first, on up to 10 unknowns, since
rounding ends a run of 20 before the limit is seen.
"""

import numpy as np

from banach import zoo
from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.bfgs import Bfgs, BfgsDirection
from banach.methods.smooth.gradient_descent import GradientDescent


@proved("Nocedal and Wright 2006, theorem 6.4", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches on a quadratic."""
    return _states.termination(BfgsDirection())


@reported("Nocedal and Wright 2006, theorem 6.6", at_most(1.0))
def superlinear():
    """Steps for the second five digits of x over steps for the first five."""
    found = {}
    for name, problem in _instances.functions(*_instances.SMALL).items():
        x = runs.trace(problem, Bfgs(0.9), 120, x=runs.where)["x"]
        error = np.linalg.norm(x - x[-1], axis=1) / np.linalg.norm(x[0] - x[-1])
        half, whole = (int(np.argmax(error <= v)) for v in (1e-5, 1e-10))
        found[name] = (whole - half) / half
    return found


@reported(
    "Nocedal and Wright 2006, section 6.1", at_most(34 / 5264), few="one function"
)
def rosenbrock():
    """Iterations until ||g|| <= 1e-5 over those of steepest descent, theirs 34 / 5264.

    On Rosenbrock's function.
    """
    problem, small = zoo.load("rosenbrock"), runs.gradient_norm
    ours, theirs = (
        runs.until(problem, m, small, 1e-5, 100_000, relative=False).price("steps")
        for m in (Bfgs(0.9), runs.suggested(GradientDescent, problem))
    )
    return {"rosenbrock": ours / theirs}


@ours("a user's question", at_most(1.2, "mean"))
def evaluations():
    """Evaluations until ||g|| fell by 1e-8 over those of SciPy's BFGS."""
    return _instances.over(_instances.DENSE, Bfgs(0.9), "BFGS")
