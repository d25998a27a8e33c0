"""Newton with a line search: global where plain Newton diverges, quadratic at the end.

Kelley (2003): near a regular root ||e+|| <= K ||e||^2 (Dennis and Schnabel 1983: where
||e|| <= 1 / (2 K), K = gamma ||J(x*)^-1||, gamma the Lipschitz constant of J); on
arctan(x) = 0, where plain Newton diverges from |x| > 1.392, Armijo's rule converges.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import at_least, at_most, fresh, ours, proved, reported
from banach.claims.roots import _instances
from banach.kinds.root.problem import Root
from banach.methods.roots.newton_root import NewtonRoot


@proved("Kelley 2003, section 1.2.1", at_most(1))
def quadratic():
    """||e+|| over K ||e||^2 on quadratic equations, where 1e-7 < ||e|| <= 1 / (2 K)."""
    found = {}
    for name, problem in _instances.quadratics().items():
        e, root = _instances.errors(problem, NewtonRoot(), 20)
        K = _instances.bend(problem, root)
        at = np.flatnonzero((e[:-1] > 1e-7) & (e[:-1] <= 1 / (2 * K)))
        found[name] = np.max(e[at + 1] / (K * e[at] ** 2))
    return found


@reported("Kelley 2003, section 1.6", at_most(1e-12))
def arctan():
    """|arctan(x)| after 20 steps, from starts where plain Newton diverges."""
    found, drawn = {}, np.random.default_rng(fresh()).uniform(2, 200)
    for start in (1.5, 5.0, 10.0, 100.0, drawn):
        problem = Root(jnp.arctan, np.array([start]))
        rows = runs.trace(problem, NewtonRoot(), 20, F=runs.residual_norm)
        found[f"x0 = {start:g}"] = rows["F"][-1]
    return found


@ours("a user's question", at_least(3))
def far():
    """How many of three starts, x0, 10 x0 and 100 x0, reach ||F|| <= 1e-6."""
    return {
        name: sum(_instances.price(p, NewtonRoot(), 1e-6) < np.inf for p in starts)
        for name, starts in _instances.starts(1, 10, 100).items()
    }
