"""Exact trust-region steps end at second-order points, also from hard-case saddles.

More and Sorensen (1983): with the model solved globally, limit points have a positive
semidefinite Hessian and convergence is quadratic where it is definite.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, fresh, out_of_reach, proved
from banach.claims.smooth._newton import hessian, lipschitz
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.trust_region_newton import TrustRegionNewton

WATCH = {"H": hessian, "g": runs.gradient_norm}


def wells(x, c):
    """sum of (y^2 - c)^2 + x^2 over pairs (x, y): minima at x = 0, y^2 = c."""
    return jnp.sum((x[1::2] ** 2 - c) ** 2) + jnp.sum(x[::2] ** 2)


@proved("More and Sorensen 1983 (second-order points)", at_least(-1e-8))
def second_order():
    """The least eigenvalue of H over the largest where ||g|| <= 1e-8, from saddles."""
    found, starts = {}, {"ridge": np.tile([1.0, 0.0], 10), "saddle": np.zeros(20)}
    for name, seed in {"seed 0": 0, "seed 1": 1, "fresh": fresh()}.items():
        c = np.random.default_rng(seed).uniform(0.5, 2.0, 10)
        for place, x in starts.items():
            problem = Smooth(wells, x, (c,))
            rows = runs.trace(problem, TrustRegionNewton(np.inf), 40, **WATCH)
            least, *_, most = np.linalg.eigvalsh(rows["H"][-1])
            good = rows["g"][-1] <= 1e-8
            found[f"{place}, {name}"] = least / max(most, -least) if good else -np.inf
    return found


@proved("More and Sorensen 1983 (quadratic convergence)", at_most(1))
def quadratic():
    """||g+|| - 1e-12 over L ||g||^2 / (2 lambda^2), lambda the least of H at x."""
    found = {}
    for name, problem in instances.logistic(0.1).items():
        rows = runs.trace(problem, TrustRegionNewton(np.inf), 8, **WATCH)
        least, g = np.linalg.eigvalsh(rows["H"])[:-1, 0], rows["g"]
        bound = lipschitz(problem) * g[:-1] ** 2 / (2 * least**2)
        found[name] = np.max(np.maximum(g[1:] - 1e-12, 0) / bound)
    return found


factorisations = out_of_reach(
    "More and Sorensen 1983, abstract",
    "GQTPAR solves a subproblem in 1.6 iterations, each a factorisation, on average",
    "here a Cholesky factorisation, or one eigendecomposition in place of theirs",
)
