"""Low-rank sensing with too many columns, at a rate without the condition number.

Xu, Shen, Chi and Ma (2023): after about log(condition) steps ScaledGD(lambda) converges
linearly at a constant rate, where gradient descent slows down with the condition number
(figure 1). Reduced: 40 x 40 matrices of rank 3, six columns, 600 Gaussian measurements,
alpha = 1e-7, step 0.3 and lambda = a fifth of the least eigenvalue; errors down to 1e-3
of the first, above the floor that the surplus columns leave with so few measurements.
A first trial of 24 x 24, alpha = 1e-4 and errors of 1e-6 reached that floor and ended.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, ours, proved, reported, tuned
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.scaled_gd_lambda import ScaledGdLambda

N, RANK, COLUMNS, SEEN, CAP, ALPHA = 40, 3, 6, 600, 4000, 1e-7
HALF = np.triu_indices(N)
WEIGHTS = np.where(HALF[0] == HALF[1], 1, 2**0.5)


def residual(X, A, M):
    """||A(X X' - M)||^2 / 4."""
    return jnp.sum((A @ (WEIGHTS * (X @ X.T - M)[HALF])) ** 2) / 4


def sensing(seed, condition, turn=None):
    """A problem whose true matrix has the eigenvalues 1 .. 1 / condition."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((SEEN, WEIGHTS.size)) / SEEN**0.5  # on symmetric ones
    U = np.linalg.qr(rng.standard_normal((N, RANK)))[0]
    M = (U * np.logspace(0, -np.log10(condition), RANK)) @ U.T
    X = ALPHA * rng.standard_normal((N, COLUMNS)) / N**0.5
    return Smooth(residual, X if turn is None else X @ turn, (A, M))


def error(problem, point):
    """||X X' - M||."""
    return jnp.linalg.norm(point.x @ point.x.T - problem.args[1])


def steps(problem, method):
    """To 1e-3 of ||M||, or infinite."""
    return runs.until(problem, method, error, 1e-3, CAP).price("steps")


def scaled(condition):
    """The method as it is tried here."""
    return ScaledGdLambda(0.3, 0.2 / condition)


@proved("Xu et al. 2023, section 2 (the update turns with X)", at_most(1e-9))
def turns():
    """||X - Y Q|| over ||X|| after 60 steps, begun from Y_0 Q, Q orthogonal."""
    found = {}
    for name, seed in instances.seeds().items():
        square = np.random.default_rng(seed).standard_normal((COLUMNS, COLUMNS))
        Q, ends = np.linalg.qr(square)[0], []
        for turn in (None, Q):
            problem = sensing(seed, 10, turn)
            rows = runs.trace(problem, scaled(10), 60, every=60, x=runs.where)
            ends.append(rows["x"][-1].reshape(N, COLUMNS))
        gap = np.linalg.norm(ends[0] @ Q - ends[1])
        found[name] = gap / np.linalg.norm(ends[0])
    return found


def against(condition):
    """Steps over those of gradient descent, its step tuned."""
    found = {}
    for name, seed in instances.seeds().items():
        problem = sensing(seed, condition)
        grid = [0.2, 0.4, 0.8, 1.6]
        cost = lambda a, p=problem: steps(p, GradientDescent(a, False))  # noqa: E731
        found[name] = tuned(grid, cost)[1] / steps(problem, scaled(condition))
    return found


@reported("Xu et al. 2023, figure 1", at_least(1))
def quicker():
    """Steps of gradient descent, tuned, to 1e-3 of ||M|| at a condition of 10, over."""
    return against(10)


@ours("a user's question", at_most(3))
def flat():
    """Steps to 1e-3 of ||M|| at a condition of 100, over those at 1."""
    return {
        name: steps(sensing(seed, 100), scaled(100))
        / steps(sensing(seed, 1), scaled(1))
        for name, seed in instances.seeds().items()
    }


@ours("a user's question", at_least(10))
def descent_waits():
    """Steps of gradient descent, tuned, at a condition of 100, over."""
    return against(100)
