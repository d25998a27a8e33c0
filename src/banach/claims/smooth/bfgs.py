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

TAILS = ("rosenbrock", "beale", "dixon_price:10", "logistic:5", "logistic:10")


@proved("Nocedal and Wright 2006, theorem 6.4", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches on a quadratic."""
    return _states.termination(BfgsDirection())


@proved("Nocedal and Wright 2006, theorem 6.4", at_most(1e-3))
def inverse():
    """||H_n A - I|| after these n steps, A the Hessian."""
    return {
        k: np.linalg.norm(rows.known.matrix[-1] @ A - np.eye(len(A)), 2)
        for k, (rows, A) in _states.exact(BfgsDirection()).items()
    }


@reported("Nocedal and Wright 2006, theorem 6.6", at_most(1.0))
def superlinear():
    """Steps for the second five digits of x over steps for the first five."""
    found = {}
    for name, problem in _instances.functions(*TAILS).items():
        x = runs.trace(problem, Bfgs(0.9), 120, x=runs.where)["x"]
        error = np.linalg.norm(x - x[-1], axis=1) / np.linalg.norm(x[0] - x[-1])
        half, whole = (int(np.argmax(error <= v)) for v in (1e-5, 1e-10))
        found[name] = (whole - half) / half
    return found


@reported(
    "Nocedal and Wright 2006, section 6.1",
    at_most(34 / 5264),
    few="they tell of one function",
)
def rosenbrock():
    """Iterations over those of steepest descent on Rosenbrock's function.

    Until ||g|| <= 1e-5; theirs took 34 and 5,264.
    """
    problem = zoo.load("rosenbrock")
    steps = [
        runs.until(problem, m, runs.gradient_norm, 1e-5, 100_000, relative=False)
        for m in (Bfgs(0.9), runs.suggested(GradientDescent, problem))
    ]
    return {"rosenbrock": steps[0].price("steps") / steps[1].price("steps")}


@ours("a user's question", at_most(1.2, "mean"))
def evaluations():
    """Evaluations until ||g|| fell by 1e-8 over those of SciPy's BFGS."""
    ours, peers = {"bfgs": lambda p: Bfgs(0.9)}, {"SciPy": ("BFGS", {})}
    table = _instances.gradients(_instances.DENSE, ours, {}, peers)
    return runs.ratios(table, "bfgs", "SciPy")
