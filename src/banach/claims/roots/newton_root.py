"""Newton with a line search: global where plain Newton diverges, quadratic at the end.

Kelley (2003): near a root with a regular Jacobian ||e+|| <= K ||e||^2 (section 1.2.1),
and on arctan(x) = 0, where plain Newton diverges from |x| > 1.392, Armijo's rule finds
the root (section 1.6, from 10). Reduced: nothing; K = gamma ||J(x*)^-1||, gamma the
Lipschitz constant of J, and ||e|| <= 1 / (2 K), as Dennis and Schnabel (1983) have it.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_least, at_most, fresh, ours, proved, reported
from banach.claims.roots import _instances
from banach.kinds.root.problem import Root
from banach.methods.roots.newton_root import NewtonRoot


def absolute(problem, point):
    """The largest |F_i|."""
    return jnp.max(jnp.abs(problem.residual(point.x)))


def gamma(problem):
    """The Lipschitz constant of J: 4 of Broyden's tridiagonal system."""
    if not problem.args:
        return 4.0
    Q = problem.args[0]
    return np.linalg.norm((Q + Q.transpose(0, 2, 1)).reshape(len(Q), -1), 2)


@proved("Kelley 2003, section 1.2.1", at_most(1))
def quadratic():
    """||e+|| over K ||e||^2, the largest where 1e-7 < ||e|| <= 1 / (2 K).

    On systems of quadratic equations, of which gamma is known.
    """
    problems = _instances.systems("broyden_tridiagonal")
    problems |= {f"seed {s}": _instances.drawn(seed=s) for s in range(3)}
    problems["fresh"] = _instances.drawn()
    found, curves = {}, {}
    for name, problem in problems.items():
        x = runs.trace(problem, NewtonRoot(), 20, x=runs.where)["x"]
        best, error = x[-1], np.linalg.norm(x - x[-1], axis=1)
        K = gamma(problem) * np.linalg.norm(np.linalg.inv(problem.jacobian(best)), 2)
        e, after = error[:-1], error[1:]
        near = (e > 1e-7) & (e <= 1 / (2 * K))
        found[name] = np.max(after[near] / (K * e[near] ** 2))
        curves[name] = {"Newton": error}
    return Seen(found, curves, ("steps", "||x - x*||"))


@reported("Kelley 2003, section 1.6", at_most(1e-12))
def arctan():
    """|arctan(x)| after 20 steps, from starts where plain Newton diverges."""
    starts = (1.5, 5.0, 10.0, 100.0)
    starts = {f"x0 = {v:g}": v for v in starts}
    starts["fresh"] = np.random.default_rng(fresh()).uniform(2, 200)
    found = {}
    for name, start in starts.items():
        problem = Root(jnp.arctan, np.array([start]))
        found[name] = runs.trace(problem, NewtonRoot(), 20, F=absolute)["F"][-1]
    return found


@ours("a user's question", at_least(3))
def classical():
    """How many of three starts, x0, 10 x0 and 100 x0, reach ||F|| <= 1e-6."""
    found = {}
    for name, problem in _instances.systems(
        *_instances.SMALL, *_instances.REGULAR
    ).items():
        prices = [
            _instances.price(_instances.from_far(problem, f), NewtonRoot(), 1e-6)
            for f in (1, 10, 100)
        ]
        found[name] = np.isfinite(prices).sum()
    return found
