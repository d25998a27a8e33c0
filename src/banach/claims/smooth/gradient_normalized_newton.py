"""One scheme without constants, as good as super-universal Newton, any Hessian.

Semenov, Jaggi and Doikov (2025): regularised by ||g|| / gamma, gamma doubled or halved,
Newton's method has the best rate of every class of smoothness, and a global linear one
on log-sum-exp with the weighted Gauss-Newton matrix A' diag(softmax) A / mu (numbers of
theorems could not be verified; matrix, rival and its constants are those of the
authors' code). Reduced: 200 terms of 20 unknowns; logistic regression on five tables.
"""

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, fresh, proved, reported
from banach.kinds.least_squares.problem import least_squares
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth._hessian_models import Exact, GaussNewton, Given
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.gradient_normalized_newton import GradientNormalizedNewton

MU, TOL = 0.25, 1e-8


def soft_maximum(x, A, b):
    """mu log sum exp((A x - b) / mu)."""
    return MU * jax.nn.logsumexp((A @ x - b) / MU)


def weighted(problem, x):
    """The Hessian without its rank-one term - g g' / mu."""
    A, b = problem.args
    return (A.T * jax.nn.softmax((A @ x - b) / MU)) @ A / MU


def first(good):
    """The first step at which it is; infinite if never."""
    return float(np.argmax(good)) if good.any() else np.inf


@proved("Semenov, Jaggi and Doikov 2025, abstract (log-sum-exp)", at_most(3))
def linear():
    """Steps that take the gap down by 1e-8, over those that take it down by 1e-4.

    2 at a linear rate; more than 3 at every rate 1 / k^p with p up to 8.
    """
    found, curves = {}, {}
    seeds = {**{f"seed {s}": s for s in range(4)}, "fresh": fresh()}
    for name, seed in seeds.items():
        rng = np.random.default_rng(seed)
        A, b = rng.uniform(-1, 1, (200, 20)), rng.uniform(-1, 1, 200)
        problem = Smooth(soft_maximum, np.ones(20), (A, b), convex=True)
        gaps = {}
        for label, model in (("exact", Exact()), ("weighted", Given(weighted))):
            method = GradientNormalizedNewton(model)
            gaps[label] = runs.trace(problem, method, 100, f=runs.objective)["f"]
        best = min(f.min() for f in gaps.values())
        curves[name] = {label: f - best for label, f in gaps.items()}
        gap = curves[name]["weighted"]
        found[name] = first(gap <= 1e-8 * gap[0]) / first(gap <= 1e-4 * gap[0])
    return Seen(found, curves, ("steps", "f - f*"))


def super_universal(problem, alpha, cap=400):
    """Gradients that super-universal Newton needs: H quartered and fourfold, from 1."""
    whole = jax.jit(lambda x: (*problem.value_and_grad(x), problem.hess(x)))
    x, weight, calls = problem.x0, 1.0, 1
    _, g, H = (np.asarray(v) for v in whole(x))
    enough = TOL * np.linalg.norm(g)
    while np.linalg.norm(g) > enough and calls < cap:
        lam = weight * np.linalg.norm(g) ** alpha
        step = -np.linalg.solve(H + lam * np.eye(x.size), g)
        _, after, then = (np.asarray(v) for v in whole(x + step))
        calls += 1
        if -(after @ step) >= after @ after / (4 * lam):
            x, g, H, weight = x + step, after, then, max(weight / 4, 1e-5)
        else:
            weight *= 4
    return calls if calls < cap else np.inf


@reported("Semenov, Jaggi and Doikov 2025, experiments (exact Hessian)", at_most(1))
def factorisations():
    """Factorisations until ||g|| fell by 1e-8, over super-universal Newton's.

    Each is followed by one gradient, which are counted; its power is the best of 1/2,
    2/3 and 1.
    """
    found = {}
    for name, problem in instances.logistic().items():
        method = GradientNormalizedNewton(Exact())
        run = runs.until(problem, method, runs.gradient_norm, TOL, 400)
        rival = min(super_universal(problem, a) for a in (0.5, 2 / 3, 1.0))
        found[name] = (run.price("grad") - 1) / (rival - 1)
    return found


def rosenbrock(x):
    """Residuals of Rosenbrock's chain."""
    return jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])


@reported("Semenov, Jaggi and Doikov 2025, experiments (Rosenbrock)", at_most(1))
def gauss_newton():
    """Gradients with J'J until ||g|| fell by 1e-8, over those of gradient descent.

    Descent has a line search, and at most 30,000 steps.
    """
    starts = {f"n = {n}": np.tile([-1.2, 1.0], n // 2) for n in (2, 4, 6, 10)}
    starts["fresh"] = np.random.default_rng(fresh()).uniform(-2, 2, 4)
    found = {}
    for name, start in starts.items():
        problem = least_squares(rosenbrock, start)
        rows = {
            "ours": (GradientNormalizedNewton(GaussNewton()), 1000),
            "descent": (GradientDescent(1.0, search=True), 30_000),
        }
        paid = {
            k: runs.until(problem, m, runs.gradient_norm, TOL, cap).price("grad")
            for k, (m, cap) in rows.items()
        }
        found[name] = paid["ours"] / paid["descent"]
    return found
