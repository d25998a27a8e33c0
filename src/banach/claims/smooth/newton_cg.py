"""Truncated conjugate gradients keep Newton's speed for a fraction of its work.

Inner iterations that stop at the boundary, at negative curvature or at an accuracy that
follows the gradient grow towards the boundary, promise at least half of what the exact
step does, and leave convergence superlinear. Reduced: models of 20 unknowns, problems
of at most 650.
"""

import functools

import jax
import numpy as np

from banach import zoo
from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, ours, proved
from banach.methods.smooth.newton_cg import NewtonCg
from banach.methods.smooth.trust_region_newton import TrustRegionNewton
from banach.parts import trust_region

N = 20
NAMES = (
    "logistic:breast_cancer",
    "logistic:digits",
    "softmax:digits",
    "rosenbrock:100",
    "dixon_price:20",
)


def models(shift):
    """H with eigenvalues from 1e-3 to 1, less `shift`, and a gradient, by name."""
    problems = instances.bowls(N, 1e3).items()
    return {k: (p.args[0] - shift * np.eye(N), p.args[1]) for k, p in problems}


@jax.jit
def truncated(H, g, radius, most):
    """The step after at most so many products with H."""
    return trust_region.steihaug(lambda v: H @ v, g, radius, tol=1e-12, max_steps=most)


@proved("Steihaug 1983; Nocedal and Wright 2006, theorem 7.3", at_least(1 - 1e-12))
def longer():
    """The least ratio of the lengths of successive inner iterates, H indefinite too."""
    found = {}
    for shift in (0.0, 0.1):
        for name, (H, g) in models(shift).items():
            steps = [truncated(H, g, 3.0, k).step for k in range(1, N + 1)]
            size = np.linalg.norm(steps, axis=1)
            found[f"{name}, less {shift:g}"] = np.min(size[1:] / size[:-1])
    return found


@proved("Yuan 2000", at_least(0.5))
def half():
    """The promised decrease over that of the exact step, the least of five radii."""

    @jax.jit
    def share(H, g, radius):
        best = trust_region.exact(trust_region.spectrum(H), g, radius)
        return truncated(H, g, radius, 10 * N).predicted / best.predicted

    radii = (0.1, 1.0, 3.0, 10.0, 100.0)
    return {
        k: min(float(share(H, g, r)) for r in radii)
        for k, (H, g) in models(0.0).items()
    }


@proved("Dembo, Eisenstat and Steihaug 1982", at_most(2.0))
def order():
    """||g+|| / (||g||^1.5 / ||g_0||^0.5), the last step before 1e-10; its limit is 1.

    The factor 2 is for the terms that vanish in the limit.
    """
    found = {}
    for name, problem in instances.logistic().items():
        method = runs.suggested(NewtonCg, problem)
        g = runs.trace(problem, method, 30, g=runs.gradient_norm)["g"]
        g = g / g[0]
        k = int(np.argmax(g <= 1e-10))
        found[name] = g[k] / g[k - 1] ** 1.5
    return found


@functools.cache
def ends():
    """Runs until ||g|| fell by 1e-10: by truncated steps, by exact ones, unknowns."""
    found, small = {}, runs.gradient_norm
    for name in NAMES:
        problem = zoo.load(name)
        methods = runs.suggested(NewtonCg, problem), TrustRegionNewton(np.inf)
        both = [runs.until(problem, m, small, 1e-10, 2000) for m in methods]
        found[name] = (*both, problem.size())
    return found


@ours("a user's question", at_most(1.5, "mean"))
def steps():
    """Steps until ||g|| fell by 1e-10 over those of exact Newton."""
    return {k: a.price("steps") / b.price("steps") for k, (a, b, _) in ends().items()}


@ours("a user's question", at_most(0.5))
def products():
    """Products with the Hessian a step, over the n of an exact solve."""
    return {k: a.price("hvp") / a.steps / n for k, (a, _, n) in ends().items()}
