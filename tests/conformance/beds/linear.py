"""Linear systems: dense and definite, not symmetric, and Poisson around an obstacle."""

from types import SimpleNamespace

import equinox as eqx
import numpy as np
from bed import Bed, distance

from banach.kinds.linear.problem import Linear
from banach.parts.grid_laplacians import poisson_grid

_rng = np.random.default_rng(3)
_Q = _rng.standard_normal((6, 6))
_SPD = _Q @ np.diag([1.0, 1.5, 2.0, 4.0, 6.0, 9.0]) @ _Q.T / 6 + 0.5 * np.eye(6)
_SPD = (_SPD + _SPD.T) / 2
_SKEWED = _SPD + np.triu(_rng.standard_normal((6, 6)), 1)
_b = _rng.standard_normal(6)
_SOLID = np.zeros((12, 10), bool)
_SOLID[4:7, 3:6] = True
_f = np.where(_SOLID, 0, _rng.standard_normal(_SOLID.shape))
_small = np.float32

dense = Linear(_SPD, _b)
skewed = Linear(_SKEWED, _b)
obstacle = Linear(poisson_grid(_SOLID), _f)


def _laplacian():
    """The matrix written down cell by cell."""
    n, m = _SOLID.shape
    A = np.zeros((n * m, n * m))
    for i in range(n):
        for j in range(m):
            k = i * m + j
            if _SOLID[i, j]:
                A[k, k] = 1
                continue
            for p, q in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if not (0 <= p < n and 0 <= q < m):
                    A[k, k] += 1
                elif not _SOLID[p, q]:
                    A[k, k] += 1
                    A[k, p * m + q] = -1
    return A


GRID = _laplacian()


def _scaled(problem):
    """b times theta, A times theta squared: the answer is divided by theta."""

    def moved(theta):
        A, b = problem.A, problem.b
        if problem is obstacle:
            weights = [theta**2 * v for v in (A.right, A.down, A.extra)]
            A = eqx.tree_at(lambda a: (a.right, a.down, a.extra), A, weights)
        else:
            A = eqx.tree_at(lambda a: a.entries, A, theta**2 * A.entries)
        return eqx.tree_at(lambda p: (p.A, p.b), problem, (A, theta * b))

    return moved


def _poisoned(problem):
    def poison():
        b = problem.b.copy()
        b.flat[3] = np.nan
        return eqx.tree_at(lambda p: p.b, problem, b)

    return poison


def _measures(A, best):
    def energy(x):
        e = np.ravel(x) - np.ravel(best)
        return float(np.sqrt(max(e @ (A @ e), 0)))

    return distance(best) | {"||x-x*||_A": energy}


def _constants(A, best):
    """Condition of D^-1 A, of A, whichever is larger, and the energy of the start."""
    root = 1 / np.sqrt(np.diag(A))
    values = [np.linalg.eigvalsh(M) for M in (A, root[:, None] * A * root)]

    def of(start):
        return SimpleNamespace(
            condition=max(v[-1] / v[0] for v in values),
            energy=_measures(A, best)["||x-x*||_A"](start),
        )

    return of


def _solution(A, b):
    return lambda theta: np.linalg.solve(A, np.ravel(b)).reshape(b.shape) / theta


def _bed(name, problem, A, b, narrow, **more):
    solution = _solution(A, b)
    return Bed(
        name=name,
        file=__file__,
        problem=problem,
        moved=_scaled(problem),
        poisoned=_poisoned(problem),
        narrow=narrow,
        solution=solution,
        measures=_measures(A, solution(1.0)),
        **more,
    )


def _narrow_obstacle():
    A = poisson_grid(_SOLID)
    weights = [v.astype(_small) for v in (A.right, A.down, A.extra)]
    return Linear(type(A)(*weights), _f.astype(_small))


BEDS = [
    _bed(
        "dense",
        dense,
        _SPD,
        _b,
        lambda: Linear(_SPD.astype(_small), _b.astype(_small)),
        constants=_constants(_SPD, np.linalg.solve(_SPD, _b)),
    ),
    _bed(
        "skewed",
        skewed,
        _SKEWED,
        _b,
        lambda: Linear(_SKEWED.astype(_small), _b.astype(_small)),
    ),
    _bed("obstacle", obstacle, GRID, _f, _narrow_obstacle),
]
