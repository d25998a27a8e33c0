"""Exclusive or with margins: four points, a ReLU network of four hidden units.

Two units, |x1 - x2| = relu(x1 - x2) + relu(x2 - x1), tell the classes apart.
"""

import equinox as eqx
import numpy as np
from bed import Bed

from banach.kinds.network_feasibility.problem import NetworkFeasibility

_rng = np.random.default_rng(8)
_X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
_y = np.array([0, 1, 1, 0])


def _solution(theta):
    """z_1 = |x1 - x2| / (2 - theta) - 1/2 and z_0 = -z_1: no margin is left over."""
    first = np.array([[1.0, -1, 0], [-1, 1, 0], [0, 0, 0], [0, 0, 0]]) / (2 - theta)
    last = np.array([1, 1, 0, 0, -0.5])
    return first, np.stack([-last, last])


# Near one with room: elsewhere rounding decides which pieces of activations are taken.
_first, _last = _solution(1)
_W = tuple(0.3 * (W + _rng.standard_normal(W.shape)) for W in (_first, 4 * _last))

xor = NetworkFeasibility(_X, _y, _W)


def _at(theta):
    return eqx.tree_at(lambda p: p.X, xor, (2 - theta) * xor.X)


def _poisoned():
    X = _X.copy()
    X[2, 1] = np.nan
    return eqx.tree_at(lambda p: p.X, xor, X)


def _narrow():
    small = np.float32
    return NetworkFeasibility(
        _X.astype(small), _y, tuple(W.astype(small) for W in _W), margin=small(1)
    )


def _shortfall(x):
    first, last = (np.asarray(W, float) for W in x)
    h = np.maximum(_X @ first[:, :-1].T + first[:, -1], 0)
    z = h @ last[:, :-1].T + last[:, -1]
    mine = z[np.arange(4), _y]
    return float(np.max(np.maximum(1 - mine + z[np.arange(4), 1 - _y], 0)))


BEDS = [
    Bed(
        name="xor",
        file=__file__,
        problem=xor,
        moved=_at,
        poisoned=_poisoned,
        narrow=_narrow,
        solution=_solution,
        measures={"largest shortfall of a margin": _shortfall},
        smooth_path=True,
        derivative=False,
    )
]
