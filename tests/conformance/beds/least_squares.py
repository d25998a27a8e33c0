"""A fit of a decay to noisy observations, and one whose rate a bound holds."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, gap

from banach.kinds.least_squares.problem import NonlinearLeastSquares

_t = np.linspace(0.0, 3.0, 20)
_y = 4 * np.exp(-0.9 * _t) + 0.06 * np.random.default_rng(31).standard_normal(20)
_x0 = np.array([1.5, 0.4])
_small = np.float32


def _decay(x, y):
    return x[0] * jnp.exp(-x[1] * _t.astype(y.dtype)) - y


decay = NonlinearLeastSquares(_decay, _x0, (_y,), data=_y)


_high = np.array([9.0, 0.8])
held_decay = NonlinearLeastSquares(_decay, _x0, (_y,), data=_y, upper=_high)


def _along(problem):
    def moved(theta):
        # Along a curve on which both parameters move.
        bend = 1 + (theta - 1) * _t / 10
        return eqx.tree_at(
            lambda p: (p.args[0], p.data), problem, (theta * bend * _y,) * 2
        )

    return moved


def _poison(problem):
    y = _y.copy()
    y[1] = np.nan
    return lambda: eqx.tree_at(lambda p: p.args[0], problem, y)


def _narrow(**bounds):
    y = _y.astype(_small)
    return lambda: NonlinearLeastSquares(
        _decay, _x0.astype(_small), (y,), data=y, **bounds
    )


def _solution(theta):
    """Newton's method in NumPy."""
    y = theta * (1 + (theta - 1) * _t / 10) * _y
    x = np.array([4.0, 0.9])
    for _ in range(30):
        e = np.exp(-x[1] * _t)
        r, J = x[0] * e - y, np.stack([e, -x[0] * _t * e], axis=1)
        cross, bend = -_t * e @ r, x[0] * _t**2 * e @ r
        x = x - np.linalg.solve(J.T @ J + [[0, cross], [cross, bend]], J.T @ r)
    return x


def _held(theta):
    """The height alone, linear least squares: the rate is at its bound."""
    y = theta * (1 + (theta - 1) * _t / 10) * _y
    e = np.exp(-_high[1] * _t)
    return np.array([e @ y / (e @ e), _high[1]])


def _objective(x):
    return float(np.sum((x[0] * np.exp(-x[1] * _t) - _y) ** 2) / 2)


BEDS = [
    Bed(
        name=name,
        file=__file__,
        problem=problem,
        moved=_along(problem),
        poisoned=_poison(problem),
        narrow=_narrow(**bounds),
        solution=solution,
        measures=gap(_objective, solution(1.0)),
        smooth_path=False,
    )
    for name, problem, solution, bounds in (
        ("decay", decay, _solution, {}),
        ("held_decay", held_decay, _held, {"upper": _high}),
    )
]
