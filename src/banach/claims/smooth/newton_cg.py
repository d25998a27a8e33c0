"""Truncated conjugate gradients promise half of the exact step, and keep its speed.

Reduced: models of 20 unknowns, logistic regressions.
"""

import jax
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, proved, reported
from banach.methods.smooth.newton_cg import NewtonCg
from banach.parts import trust_region

N = 20


@jax.jit
def truncated(H, g, radius, most):
    """The step after at most so many products with H."""
    return trust_region.steihaug(lambda v: H @ v, g, radius, tol=1e-12, max_steps=most)


@proved("Steihaug 1983 (lengths grow)", at_least(1 - 1e-12))
def longer():
    """The least ratio of the lengths of successive inner iterates, H indefinite."""
    found = {}
    for name, problem in instances.bowls(N, 1e3).items():
        H, g = problem.args[0] - 0.1 * np.eye(N), problem.args[1]
        size = [np.linalg.norm(truncated(H, g, 3.0, k).step) for k in range(1, N + 1)]
        found[name] = np.min(np.divide(size[1:], size[:-1]))
    return found


@proved("Yuan 2000", at_least(0.5))
def half():
    """The promised decrease over that of the exact step, the least of five radii."""
    best = jax.jit(lambda H, g, r: trust_region.exact(trust_region.spectrum(H), g, r))
    found = {}
    for name, problem in instances.bowls(N, 1e3).items():
        at = [(*problem.args, r) for r in (0.1, 1.0, 3.0, 10.0, 100.0)]
        both = [(truncated(*v, 10 * N).predicted, best(*v).predicted) for v in at]
        found[name] = min(float(ours / exact) for ours, exact in both)
    return found


@reported("Dembo, Eisenstat and Steihaug 1982 (order)", at_most(2.0))
def order():
    """||g+|| / (||g||^1.5 / ||g_0||^0.5) before 1e-10, 1 and terms that vanish."""
    found = {}
    for name, problem in instances.logistic().items():
        method = runs.suggested(NewtonCg, problem)
        g = runs.trace(problem, method, 30, g=runs.gradient_norm)["g"]
        k = int(np.argmax(g <= 1e-10 * g[0]))
        found[name] = g[k] * g[0] ** 0.5 / g[k - 1] ** 1.5
    return found
