"""Conjugate gradients end after n steps and come closer at each; their bound holds.

Hestenes and Stiefel speak of exact arithmetic: the end is tried where rounding cannot
hide it (condition 4, at most eight eigenvalues; at condition 100 rounding leaves 5e-8
after ten steps, 1e-10 after eleven). The numbers of their theorems could not be
verified. Errors are against LU. Reduced: nothing.
"""

import functools
import itertools

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, fresh, ours, proved
from banach.kinds.linear import zoo
from banach.kinds.linear.problem import Linear
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.parts.grid_laplacians import obstacles, poisson_grid
from banach.parts.preconditioners import IncompleteCholesky, Jacobi, Multigrid, Plain


def spectrum(values, seed):
    """A dense system with these eigenvalues."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((len(values), len(values))))
    A = (Q * values) @ Q.T
    return Linear((A + A.T) / 2, rng.standard_normal(len(values)))


def poisson(n, seed):
    """Around obstacles, on n x n."""
    solid = obstacles(n, seed)
    return Linear(poisson_grid(solid), zoo.right_side(solid, 1000 + n + seed))


@functools.lru_cache
def systems():
    """Dense, ridge regression, Poisson."""
    return {
        "condition 100": spectrum(np.repeat(np.logspace(0, 2, 10), 6), 0),
        "condition 1e4": spectrum(np.logspace(0, 4, 60), 1),
        "fresh": spectrum(
            10 ** np.sort(3 * np.random.default_rng(fresh()).random(60)), 2
        ),
        "digits": zoo.load("linear:digits"),
        "poisson": poisson(24, 1),
    }


def errors(problem, steps):
    """x - x* after each step, in the energy norm and in the Euclidean one."""
    K = np.asarray(problem.matrix())
    best = np.linalg.solve(K, np.ravel(problem.b))
    xs = runs.trace(problem, ConjugateGradient(Plain()), steps, x=runs.where)["x"]
    e = xs - best
    return np.sqrt(np.einsum("ti,ij,tj->t", e, K, e)), np.linalg.norm(e, axis=1), K


@proved("Trefethen and Bau 1997, theorem 38.5", at_most(1.0))
def bound():
    """The energy error over 2 ((sqrt k - 1) / (sqrt k + 1))^t of the first."""
    worst, curves = {}, {}
    for name, problem in systems().items():
        e, _, K = errors(problem, 80)
        root = np.sqrt(np.linalg.cond(K))
        line = 2 * ((root - 1) / (root + 1)) ** np.arange(len(e)) * e[0]
        # The rounding of x itself.
        worst[name] = np.max((e - 1e-13 * root * e[0]) / line)
        curves[name] = {"error": e, "bound": line}
    return Seen(worst, curves, ("steps", "energy norm of the error"))


@proved("Hestenes and Stiefel 1952", at_most(1e-13))
def closer():
    """The largest rise of ||x - x*|| over the first, and over the condition."""
    found = {}
    for name, problem in systems().items():
        _, e, K = errors(problem, 80)
        found[name] = np.max(np.diff(e)) / e[0] / np.linalg.cond(K)
    return found


@proved("Hestenes and Stiefel 1952, abstract", at_most(1e-9))
def finite():
    """What is left of the energy error after as many steps as eigenvalues."""
    found = {}
    for k in (2, 4, 6, 8):
        problem = spectrum(np.repeat(np.linspace(1, 4, k), 5), k)
        e, _, _ = errors(problem, k)
        found[f"{k} eigenvalues, n = {5 * k}"] = e[-1] / e[0]
    e, _, _ = errors(spectrum(np.linspace(1, 4, 7), fresh()), 7)
    return {**found, "fresh, n = 7": e[-1] / e[0]}


@ours("a user's question", at_most(1.0))
def preconditioners():
    """Steps to 1e-8 on Poisson: multigrid, Cholesky, Jacobi, each over the next."""
    recipes = {
        "multigrid": Multigrid(), "modified": IncompleteCholesky(0.97),
        "Cholesky": IncompleteCholesky(), "Jacobi": Jacobi(),
    }  # fmt: skip
    made = {k: lambda p, r=r: ConjugateGradient(r) for k, r in recipes.items()}
    problems = {"obstacles 1": poisson(64, 1), "fresh": poisson(64, fresh())}
    table = runs.prices(problems, made, runs.residual_norm, 1e-8, 1000, "steps")
    return {
        f"{k}: {a} / {b}": row[a] / row[b]
        for k, row in table.items()
        for a, b in itertools.pairwise(recipes)
    }
