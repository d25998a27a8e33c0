"""Within bounds as fast as without: quadratic, also to solutions that are a curve.

Kanzow, Yamashita and Fukushima (2004) prove dist(x+, X*) <= c dist(x, X*)^2 near X*
where the distance is at most a constant times ||F|| (an error bound), for steps with
a = ||F||^2. The statement numbers could not be had: the theorem is told by its words.
The order is a limit, read from the last three distances above rounding.
"""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

from banach.claims import runs
from banach.claims.course import Seen, at_least, at_most, fresh, ours, proved
from banach.claims.least_squares import _instances
from banach.kinds.least_squares.problem import NonlinearLeastSquares
from banach.methods.least_squares.bounded_levenberg_marquardt import (
    BoundedLevenbergMarquardt,
)


def _roots():
    """(problem, distance to its solutions within the bounds)."""
    valley = lambda x: jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])  # noqa: E731
    circle = lambda x: jnp.sum(x**2)[None] - 1  # noqa: E731
    bent = lambda x: jnp.stack([jnp.exp(x[0]) - 1, x[1] * (1 + x[0])])  # noqa: E731
    one, zero = (lambda x: np.hypot(*(x - 1).T)), (lambda x: np.hypot(*x.T))
    ring = lambda x: abs(np.hypot(*x.T) - 1)  # noqa: E731
    turn = np.random.default_rng(fresh()).uniform(0.3, 1.2)
    start = 1.3 * np.array([np.cos(turn), np.sin(turn)])
    return {
        "a corner": (valley, [0.6, 0.3], {"upper": 1.0}, one),
        "a face": (valley, [0.95, 0.9], {"upper": [1.0, 3.0]}, one),
        "an arc": (circle, [1.4, 0.5], {"lower": 0.0}, ring),
        "a root at two bounds": (bent, [0.4, 0.5], {"lower": 0.0}, zero),
        "fresh, an arc": (circle, start, {"lower": [-1.0, 0.0]}, ring),
    }


@proved("Kanzow, Yamashita, Fukushima 2004 (local rate)", at_least(1.8))
def order():
    """The order of convergence of dist(x, X*) with a = ||F||^2."""
    found, curves = {}, {}
    method = BoundedLevenbergMarquardt(rule="residual")
    for name, (fun, x0, bounds, distance) in _roots().items():
        problem = NonlinearLeastSquares(fun, np.array(x0), **bounds)
        far = distance(runs.trace(problem, method, 30, x=runs.where)["x"])
        last = np.log(far[far > 1e-14][-3:])
        found[name] = (last[2] - last[1]) / (last[1] - last[0])
        curves[name] = {"dist(x, X*)": far[:12]}
    return Seen(found, curves, ("steps", "distance"))


@ours("bounds that hold, against SciPy's trust region reflective", at_most(1))
def evaluations():
    """Residuals until ||r|| is within 1e-6 of the least, over those of trf."""
    found = {}
    for seed, (name, problem) in enumerate(_instances.decays().items()):
        free = runs.trace(problem, BoundedLevenbergMarquardt(), 60, x=runs.where)["x"]
        # Half of the way to the free answer, in one or two of the parameters.
        upper = np.where(np.arange(3) <= seed % 2, (problem.x0 + free[-1]) / 2, np.inf)
        lower = np.where(problem.x0 > upper, upper, -np.inf)
        upper = np.where(problem.x0 > upper, np.inf, upper)
        bound = NonlinearLeastSquares(
            problem.fun, problem.x0, problem.args, data=problem.data,
            lower=lower, upper=upper,
        )  # fmt: skip
        mine = runs.trace(bound, BoundedLevenbergMarquardt(), 60, r=runs.residual_norm)[
            "r"
        ]
        seen = []

        def counted(x, bound=bound, seen=seen):
            seen.append(np.asarray(bound.residual(x)))
            return seen[-1]

        tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": 200}
        least_squares(
            counted, bound.x0, jac=bound.jacobian, bounds=(lower, upper), **tight
        )
        theirs = np.linalg.norm(seen, axis=1)
        at = np.add(_instances.arrivals(mine, theirs), 1)
        found[name] = at[0] / at[1]
    return found
