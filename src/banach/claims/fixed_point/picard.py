"""The contraction principle: q^k, and an error known from the last step taken.

Banach (1922): ||x_k - x*|| is at most q^k / (1 - q) ||x_1 - x_0|| and at most
q / (1 - q) ||x_k - x_{k-1}||. Krasnoselskii (1955), Mann (1953): where T is only
nonexpansive, averaged steps find a fixed point though plain ones may circle; their
residual is at most 2 R / sqrt(k + 1) in Hilbert space. Reduced: nothing.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, between, fresh, ours, proved
from banach.claims.fixed_point import _instances as maps
from banach.kinds.fixed_point.problem import FixedPoint
from banach.methods.fixed_point.picard import Picard
from banach.methods.smooth.trust_region_newton import TrustRegionNewton

STEPS, LONG = 300, 2000


def ranks():
    """PageRank of 500 digits and of a drawn graph: q, errors, steps, in 1-norms."""
    found = {}
    for q in (0.85, 0.99):
        for make in (maps.digits_pagerank, maps.drawn_pagerank):
            problem = make(500, q)
            M, b = problem.args
            best = np.linalg.solve(np.eye(len(b)) - M, b)
            x = runs.trace(problem, Picard(1.0), STEPS, x=runs.where)["x"]
            error = np.abs(x - best).sum(axis=1)[1:]
            step = np.abs(np.diff(x, axis=0)).sum(axis=1)
            # Below this the direct solve and the sums are rounding, not error.
            sure = error > 1e-10
            name = f"{make.__name__.split('_')[0]}, q = {q}"
            found[name] = q, error[sure], step[: len(error)][sure], step[0]
    return found


@proved("Banach 1922, theorem 6 and its proof", at_most(1.0))
def before():
    """Error over q^k / (1 - q) ||x_1 - x_0||, the largest of 300 steps."""
    found, curves = {}, {}
    for name, (q, error, _, first) in ranks().items():
        bound = q ** np.arange(1, len(error) + 1) / (1 - q) * first
        found[name] = np.max(error / bound)
        curves[name] = {"error": error, "bound": bound}
    return Seen(found, curves, ("steps", "error"))


@proved("Banach 1922, the same from the last step", at_most(1.0))
def after():
    """Error over q / (1 - q) ||x_k - x_{k-1}||, the largest of 300 steps."""
    rows = ranks().items()
    return {k: np.max(e * (1 - q) / (q * step)) for k, (q, e, step, _) in rows}


def turned(z, angles):
    """A rotation in each plane."""
    c, s = jnp.cos(angles), jnp.sin(angles)
    x, y = z
    return jnp.stack([c * x - s * y, s * x + c * y])


def rotations():
    """Forty planes turned by angles from 1e-3 to 1; the fixed point is 0."""
    found = {}
    for name, seed in {**{f"seed {s}": s for s in range(4)}, "fresh": fresh()}.items():
        angles = np.exp(np.random.default_rng(seed).uniform(np.log(1e-3), 0, 40))
        z0 = np.full((2, 40), 80**-0.5)
        made = FixedPoint(turned, z0, (angles,), nonexpansive=True)
        found[f"rotations, {name}"] = made, np.zeros(80)
    return found


def descent(x, problem, L):
    """x - 2 / L grad f(x), which is nonexpansive for convex f."""
    return x - 2 / L * problem.grad(x)


def descents():
    """The same for logistic losses, with their minimisers."""
    found = {}
    for name, problem in instances.logistic().items():
        newton = TrustRegionNewton(np.inf)
        best = runs.trace(problem, newton, 30, every=30, x=runs.where)["x"][-1]
        args = (problem, float(problem.facts().L))
        made = FixedPoint(descent, problem.x0, args, nonexpansive=True)
        found[f"logistic, {name}"] = made, best
    return found


@proved("Krasnoselskii 1955, the fall of ||x - x*||^2 summed", at_most(1.0))
def averaged():
    """||T(x_k) - x_k|| over 2 R / sqrt(k + 1) for lam = 1/2, the largest of 2,000."""
    found = {}
    for name, (problem, best) in {**rotations(), **descents()}.items():
        rows = runs.trace(problem, Picard(0.5), LONG, x=runs.where, f=maps.moved)
        radius = np.linalg.norm(rows["x"][0] - best)
        k = np.arange(LONG + 1)
        found[name] = np.max(rows["f"] * np.sqrt(k + 1) / (2 * radius))
    return found


@proved("Krasnoselskii 1955, plain steps may circle", between(1 - 1e-9, 1 + 1e-9))
def circling():
    """Distance from the fixed point after 2,000 plain steps over the first."""
    found = {}
    for name, (problem, _) in rotations().items():
        x = runs.trace(problem, Picard(1.0), LONG, every=LONG, x=runs.where)["x"]
        found[name] = np.linalg.norm(x[-1]) / np.linalg.norm(x[0])
    return found


@ours("a user's question", at_most(100.0), few="the four graphs of the bounds")
def loose():
    """The bound from the last step over the error, the largest of 300 steps."""
    rows = ranks().items()
    return {k: np.max(q * step / ((1 - q) * e)) for k, (q, e, step, _) in rows}
