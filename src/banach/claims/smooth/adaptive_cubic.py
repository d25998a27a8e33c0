"""Cubic models in place of trust regions: second order, quadratic, no dearer.

Cartis, Gould and Toint (2011): with exact Hessians and models minimised globally limit
points are of second order and convergence is quadratic; sigma stays bounded; on CUTEr
ARC needed no more evaluations than a standard trust region. Reduced: functions of the
zoo instead of CUTEr, and our trust region, or a basic one, instead of theirs.
Unbounded functions are left out.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, fresh, ours, proved, reported
from banach.claims.smooth import _instances
from banach.claims.smooth._newton import hessian, lipschitz
from banach.claims.smooth.trust_region_newton import wells
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.adaptive_cubic import AdaptiveCubic
from banach.methods.smooth.lazy_newton import LazyNewton
from banach.methods.smooth.trust_region_newton import TrustRegionNewton
from banach.parts import trust_region
from banach.parts.newton import Cubic

NAMES = (*_instances.SMALL, "powell_singular:8", "quadratic:30")


def arc(sigma):
    """The method of the paper's experiments, first weight sigma."""
    return AdaptiveCubic(sigma, 0.1, 0.9)


@proved("Cartis, Gould and Toint 2011 (second-order limit points)", at_least(-1e-8))
def second_order():
    """The least eigenvalue of H over the largest where ||g|| <= 1e-8, from saddles."""
    found, starts = {}, {"ridge": np.tile([1.0, 0.0], 10), "saddle": np.zeros(20)}
    for name, seed in {"seed 0": 0, "seed 1": 1, "fresh": fresh()}.items():
        c = np.random.default_rng(seed).uniform(0.5, 2.0, 10)
        for place, x in starts.items():
            problem = Smooth(wells, x, (c,))
            watch = {"H": hessian, "g": runs.gradient_norm}
            rows = runs.trace(problem, arc(1.0), 80, **watch)
            least, *_, most = np.linalg.eigvalsh(rows["H"][-1])
            good = rows["g"][-1] <= 1e-8
            found[f"{place}, {name}"] = least / max(most, -least) if good else -np.inf
    return found


@proved("Cartis, Gould and Toint 2011 (sigma is bounded; constant ours)", at_most(1))
def weights():
    """The largest sigma over L, the Hessian's constant, in 60 steps from L / 100.

    From L / 2 on the model is no less than f, so that rho >= 1; sigma was doubled.
    """
    found = {}
    for name, problem in instances.logistic().items():
        L = lipschitz(problem)
        states = runs.states(arc(L / 100), problem, 60)
        found[name] = np.max(states.known[1]) / L
    return found


@proved("Cartis, Gould and Toint 2011 (quadratic convergence)", at_most(1))
def quadratic():
    """||g+|| - 1e-12 over (L / 2 + sigma) ||s||^2, the largest over successful steps.

    The estimate behind the rate, with the model's gradient zero.
    """
    found = {}
    for name, problem in instances.logistic(0.1).items():
        states = runs.states(arc(1.0), problem, 12)
        sigma, g = states.known[1][:-1], np.linalg.norm(states.g[1:], axis=1)
        size = np.linalg.norm(np.diff(states.x, axis=0), axis=1)
        bound = (lipschitz(problem) / 2 + sigma) * size**2
        taken = size > 0
        found[name] = np.max(np.maximum(g - 1e-12, 0)[taken] / bound[taken])
    return found


def basic(problem):
    """Evaluations of a basic trust region: it mirrors the rule of sigma, radius 1."""

    @jax.jit
    def step(x, radius):
        f, g = problem.value_and_grad(x)
        out = trust_region.exact(trust_region.spectrum(problem.hess(x)), g, radius)
        rho = (f - problem.value(x + out.step)) / out.predicted
        size = jnp.linalg.norm(out.step)
        wider = jnp.where(rho > 0.9, jnp.maximum(radius, 2 * size), radius)
        x = jnp.where(rho >= 0.1, x + out.step, x)
        return x, jnp.where(rho >= 0.1, wider, size / 2), jnp.linalg.norm(g)

    x, radius, first = jnp.asarray(problem.x0), 1.0, None
    for count in range(1, 1001):
        x, radius, size = step(x, radius)
        first = first or size
        if size <= 1e-6 * first:
            return float(count)
    return np.inf


@functools.cache
def table():
    """Evaluations to ||g|| <= 1e-6 ||g0||: problem -> label -> count."""
    problems = _instances.functions(*NAMES)
    methods = {
        "arc": lambda p: arc(1.0),
        "region": lambda p: TrustRegionNewton(1.0),
        "lazy": lambda p: LazyNewton(Cubic(), 1),
    }
    small = runs.gradient_norm
    found = runs.prices(problems, methods, small, 1e-6, 1000, "value")
    return {k: row | {"basic": basic(problems[k])} for k, row in found.items()}


@reported("Cartis, Gould and Toint 2011, section 7", at_most(1, "mean"))
def evaluations():
    """Evaluations to ||g|| <= 1e-6 ||g0||, over trust_region_newton's, radius 1."""
    return runs.ratios(table(), "arc", "region")


@reported("Cartis, Gould and Toint 2011, section 7", at_most(1, "mean"))
def beside_basic():
    """The same over a basic trust region, nearer to theirs (its rule from memory)."""
    return runs.ratios(table(), "arc", "basic")


@ours("a user's question", at_most(1.1, "mean"))
def beside_lazy():
    """The same over lazy_newton, a Hessian every step, its own weights."""
    return runs.ratios(table(), "arc", "lazy")
