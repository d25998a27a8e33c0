"""A nonconvex bed over a pytree: two Rosenbrock valleys."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from bed import Bed, gap

from banach.kinds.smooth.problem import Smooth


def _valley(x, c):
    a, b = x["a"], x["b"]
    return jnp.sum(100 * (b - a**2) ** 2 + (c - a) ** 2)


_X0 = {"a": np.array([-1.2, 0.5]), "b": np.array([1.0, 1.0])}
rosenbrock = Smooth(_valley, _X0, (np.array(1.0),), reference=_X0)


def _moved(theta):
    return eqx.tree_at(lambda p: p.args, rosenbrock, (theta * rosenbrock.args[0],))


def _narrow():
    x0 = jax.tree.map(lambda v: v.astype(np.float32), _X0)
    return Smooth(_valley, x0, (np.array(1.0, np.float32),), reference=x0)


def _solution(theta):
    one = np.full(2, theta)
    return {"a": one, "b": one**2}


def _objective(x):
    a, b = x["a"], x["b"]
    return float(np.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2))


BEDS = [
    Bed(
        name="rosenbrock",
        file=__file__,
        problem=rosenbrock,
        moved=_moved,
        poisoned=lambda: _moved(np.array(np.nan)),
        narrow=_narrow,
        solution=_solution,
        measures=gap(_objective, _solution(1.0)),
        smooth_path=False,
    )
]
