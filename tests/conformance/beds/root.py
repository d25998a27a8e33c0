"""Three equations of different units, one root near the start."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from bed import Bed, distance

from banach.kinds.root.problem import Root

_UNITS = np.array([1.0, 1e3, 1e-2])
_C = np.array([0.42, 1.14, 0.06])
_X0 = np.array([1.0, 0.6, 0.3])


def _equations(x, c, units):
    a, b, d = x
    mixed = jnp.stack([a + b * d, jnp.exp(b) - d**2 / 2, d + jnp.tanh(a)])
    return units * (mixed - c)


def _stated(kind=np.float64):
    return Root(
        _equations,
        _X0.astype(kind),
        (_C.astype(kind), _UNITS.astype(kind)),
        scale=(2 * _UNITS).astype(kind),
    )


mixed = _stated()


def _targets(p):
    return p.args[0]


def _poisoned():
    c = _C.copy()
    c[1] = np.nan
    return eqx.tree_at(_targets, mixed, c)


def _newton(theta):
    x = _X0.copy()
    for _ in range(60):
        a, b, d = x
        F = np.array([a + b * d, np.exp(b) - d**2 / 2, d + np.tanh(a)]) - theta * _C
        J = np.array([[1, d, b], [0, np.exp(b), -d], [1 - np.tanh(a) ** 2, 0, 1]])
        step = np.linalg.solve(J, F)
        x = x - step / max(1, 2 * np.linalg.norm(step))
    assert np.linalg.norm(F) < 1e-13
    return x


BEDS = [
    Bed(
        name="mixed",
        file=__file__,
        problem=mixed,
        moved=lambda theta: eqx.tree_at(_targets, mixed, theta * _C),
        poisoned=_poisoned,
        narrow=lambda: _stated(np.float32),
        solution=_newton,
        measures=distance(_newton(1.0)),
        smooth_path=False,
    )
]
