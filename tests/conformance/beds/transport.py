"""Entropic transport of six masses to five."""

import equinox as eqx
import numpy as np
from bed import Bed, gap

from banach.kinds.transport.problem import Transport

_rng = np.random.default_rng(12)
_C = np.square(_rng.random((6, 1)) - _rng.random(5)) + 0.1 * _rng.random((6, 5))
_a, _b = (v / v.sum() for v in (_rng.random(6) + 0.5, _rng.random(5) + 0.5))
_EPS = 0.3

transport = Transport(_C, _a, _b, _EPS)


def _moved(theta):
    return eqx.tree_at(lambda p: p.cost.C, transport, theta * transport.cost.C)


def _poisoned():
    C = _C.copy()
    C[3, 2] = np.nan
    return eqx.tree_at(lambda p: p.cost.C, transport, C)


def _narrow():
    small = np.float32
    # Sums of rounded marginals differ by less than the problem allows.
    return Transport(*(v.astype(small) for v in (_C, _a, _b)), small(_EPS))


def _solution(theta):
    """Matrix scaling, continued far below rounding; sum f = sum g."""
    K, v = np.outer(_a, _b) * np.exp(-theta * _C / _EPS), np.ones(5)
    for _ in range(5000):
        u = _a / (K @ v)
        v = _b / (K.T @ u)
    f, g = _EPS * np.log(u), _EPS * np.log(v)
    t = (f.sum() - g.sum()) / 11
    return f - t, g + t


def _objective(x):
    """The dual, with the gauge: mass / eps is its curvature, shared by 11 unknowns."""
    f, g = (np.asarray(v) for v in x)
    P = np.outer(_a, _b) * np.exp((f[:, None] + g - _C) / _EPS)
    gauge = (f.sum() - g.sum()) ** 2 / (_EPS * 11**2) / 2
    return float(_EPS * (P.sum() - 1) - _a @ f - _b @ g + gauge)


_measures = gap(_objective, _solution(1.0))

BEDS = [
    Bed(
        name="transport",
        file=__file__,
        problem=transport,
        moved=_moved,
        poisoned=_poisoned,
        narrow=_narrow,
        solution=_solution,
        measures={
            **_measures,
            "primal - dual of entropic transport": _measures["f(x)-f*"],
        },
    )
]
