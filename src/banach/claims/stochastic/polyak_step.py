"""Polyak's steps of batches converge as proved, and linearly where terms agree.

Loizou, Vaswani, Laradji and Lacoste-Julien (2021); the bounds were proved again, since
the paper was not at hand. Expectations are means of five seeds. Reduced: scikit-learn's
tables instead of LIBSVM's. The paper compares with methods at their
defaults, and with constants that theory gives; a tuned constant is our question.
"""

import numpy as np

from banach.claims import instances as shared
from banach.claims import runs
from banach.claims.course import at_most, ours, proved, tuned
from banach.claims.stochastic import _instances as instances
from banach.kinds.finite_sum.problem import FiniteSum
from banach.methods.stochastic.polyak_step import PolyakStep
from banach.methods.stochastic.sgd import Sgd


def distances(problem, method, x, steps, every):
    """Mean ||x_k - x*||^2, and k."""

    def far(problem, point):
        return ((point.x - x) ** 2).sum()

    seen = instances.mean(problem, method, steps, far, every=every)
    return seen, np.arange(len(seen)) * every


@proved("Loizou et al. 2021, theorem 3.1, c = 1/2, gamma_b = 1/(4 L)", at_most(1.0))
def strongly_convex():
    """Mean ||x_k - x*||^2 over (1 - mu gamma_b)^k d0 + 2 sigma^2 / mu, 10 passes."""
    found = {}
    for name, problem in instances.sums().items():
        n, mu, L = problem.n, 1 / problem.n, instances.largest(problem)
        x, value = instances.best(problem)
        # Rows have norm 1: the least value of every term is that of this function of z.
        z = np.linspace(0, 20, 200_001)
        least = np.min(np.logaddexp(0, -z) + mu / 2 * z**2)
        method = PolyakStep(0.5, 1 / (4 * L), least, 1)
        d, k = distances(problem, method, x, 10 * n, n // 4)
        noise = 2 * (value - least) / mu
        found[name] = np.max(d / ((1 - mu / (4 * L)) ** k * d[0] + noise))
    return found


def square(x, d):
    """Half the square of a residual."""
    return (d["a"] @ x - d["y"]) ** 2 / 2


@proved("Loizou et al. 2021, corollary 3.3, interpolation, c = 1/2", at_most(1.0))
def interpolated():
    """Mean ||x_k - x*||^2 over (1 - mu / L_max)^k d0, gamma_b infinite, x* = 0."""
    found = {}
    for name, problem in instances.sums().items():
        A = np.asarray(problem.data["a"])
        data, mu = {"a": A, "y": np.zeros(len(A))}, 0.1
        agree = FiniteSum(square, np.ones(A.shape[1]), data, l2=mu, convex=True)
        method = PolyakStep(0.5, np.inf, 0.0, 1)
        d, k = distances(agree, method, 0.0, 200, 1)
        found[name] = np.max(d / ((1 - mu / (1 + mu)) ** k * d[0]))
    return found


def kernels():
    """Squares of Gaussian kernel rows and labels of norm 1, 60 rows: all can be 0."""
    found = {}
    tables = {**shared.tables(), "fresh": shared.drawn_table()}
    for name, (A, y) in tables.items():
        rng = np.random.default_rng(5)
        at = rng.permutation(len(A))[:60]
        A, y = A[at], np.where(y[at] > 0, 1.0, -1.0)
        square_of = np.sum((A[:, None] - A[None]) ** 2, axis=2)
        K = np.exp(-square_of / np.median(square_of)) + 0.1 * np.eye(60)
        found[name] = FiniteSum(square, np.zeros(60), {"a": K, "y": y}, convex=True)
    return found


@proved("Loizou et al. 2021, theorem 3.4, c = 1, sigma = 0", at_most(1.0))
def averages():
    """Mean F(1/k sum x_t) over 2 L_max ||x0 - x*||^2 / k, gamma_b infinite."""
    found = {}
    for name, problem in kernels().items():
        K, y = np.asarray(problem.data["a"]), np.asarray(problem.data["y"])
        x, L, k = np.linalg.solve(K, y), np.max(np.sum(K**2, axis=1)), 600
        method, rows = PolyakStep(1.0, np.inf, 0.0, 1), []
        for s in range(5):
            xs = runs.trace(problem, method, k, seed=s, x=runs.where)["x"][:-1]
            middle = np.cumsum(xs, axis=0) / np.arange(1, k + 1)[:, None]
            rows.append(np.mean((middle @ K.T - y) ** 2, axis=1) / 2)
        bound = 2 * L * np.sum(x**2) / np.arange(1, k + 1)
        found[name] = np.max(np.mean(rows, axis=0) / bound)
    return found


@ours("against SGD with the best constant step", at_most(1.0, 0.8))
def against_sgd():
    """F after 50 passes over that of SGD with the best constant step; c = 1/2."""
    found, grid = {}, [2.0**k for k in range(-5, 6)]
    for name, problem in kernels().items():
        L, how = float(np.max(np.sum(problem.data["a"] ** 2, axis=1))), {"every": 3000}

        def end(method, p=problem, how=how):
            return instances.mean(p, method, 3000, runs.objective, **how)[-1]

        best = tuned(grid, lambda s, end=end, L=L: end(Sgd(s / L, 0.0, 1)))[1]
        found[name] = end(PolyakStep(0.5, np.inf, 0.0, 1)) / best
    return found
