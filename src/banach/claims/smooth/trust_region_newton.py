"""Exact trust-region steps end at second-order points, also from hard-case saddles.

More and Sorensen (1983): with the model solved globally, limit points have a positive
semidefinite Hessian and convergence is quadratic where it is definite (the numbers of
the theorems could not be verified). Reduced: at most 64 unknowns. The paper's
factorisations a subproblem are not counted here: ours are not their solver's.
"""

import jax.numpy as jnp
import numpy as np

from banach import zoo
from banach.claims import instances, runs
from banach.claims.course import (
    Seen,
    at_least,
    at_most,
    fresh,
    ours,
    out_of_reach,
    proved,
)
from banach.claims.smooth._newton import hessian, lipschitz
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.trust_region_newton import TrustRegionNewton

TOL = 1e-10


def wells(x, c):
    """sum of (y^2 - c)^2 + x^2 over pairs (x, y): minima at x = 0, y^2 = c."""
    return jnp.sum((x[1::2] ** 2 - c) ** 2) + jnp.sum(x[::2] ** 2)


@proved("More and Sorensen 1983, section 4 (second-order points)", at_least(-1e-8))
def second_order():
    """The least eigenvalue of the Hessian at the end, over the largest.

    From ridges, where the gradient has no part along negative curvature, and from the
    saddle itself; -infinity where the gradient stayed above 1e-8.
    """
    found = {}
    for name, seed in {"seed 0": 0, "seed 1": 1, "fresh": fresh()}.items():
        c = np.random.default_rng(seed).uniform(0.5, 2.0, 10)
        for place, x in (("ridge", np.tile([1.0, 0.0], 10)), ("saddle", np.zeros(20))):
            problem = Smooth(wells, x, (c,))
            watch = {"H": hessian, "g": runs.gradient_norm}
            rows = runs.trace(problem, TrustRegionNewton(np.inf), 40, **watch)
            values = np.linalg.eigvalsh(rows["H"][-1])
            least = values[0] / np.abs(values).max()
            found[f"{place}, {name}"] = least if rows["g"][-1] <= 1e-8 else -np.inf
    return found


@proved("More and Sorensen 1983, section 4 (quadratic convergence)", at_most(1))
def quadratic():
    """||g+|| over L ||g||^2 / (2 lambda^2), the largest of a run's full steps.

    L is the Lipschitz constant of the Hessian and lambda its least eigenvalue at x;
    gradients below 1e-12 are rounding.
    """
    found, curves = {}, {}
    for name, problem in instances.logistic(0.1).items():
        watch = {"H": hessian, "g": runs.gradient_norm}
        rows = runs.trace(problem, TrustRegionNewton(np.inf), 8, **watch)
        least, g = np.linalg.eigvalsh(rows["H"])[:-1, 0], rows["g"]
        bound = lipschitz(problem) * g[:-1] ** 2 / (2 * least**2)
        found[name] = np.max(np.maximum(g[1:] - 1e-12, 0) / bound)
        curves[name] = {"trust region": g, "bound": [g[0], *bound]}
    return Seen(found, curves, ("steps", "||g||"))


factorisations = out_of_reach(
    "More and Sorensen 1983, abstract",
    "GQTPAR solves a subproblem in 1.6 iterations, each a factorisation, on average",
    "here one Cholesky factorisation where the Newton step lies inside the region, "
    "else one eigendecomposition in place of their iteration",
)


@ours("a user's question", at_most(1.1, "mean"))
def peer():
    """Evaluations until the gradient fell by 1e-10, over SciPy's trust-exact."""
    names = "rosenbrock:40 dixon_price:20 powell_singular:40 beale".split()
    problems = {name: zoo.load(name) for name in names}
    problems["fresh"] = instances.logistic()["fresh"]
    found = {}
    for name, problem in problems.items():
        method = TrustRegionNewton(np.inf)
        run = runs.until(problem, method, runs.gradient_norm, TOL, 400)
        stream = runs.scipy("trust-exact", problem)
        theirs = runs.peer(stream, problem, runs.gradient_norm, TOL, "grad")
        found[name] = run.price("grad") / theirs
    return found
