"""Two equations, one of them curved, over a pytree."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from bed import Bed, distance

from banach.kinds.constrained.problem import Constrained

_P = np.array([1.0, 0.2, -0.3, 0.5])


def _cost(x, theta):
    v = jnp.concatenate([x["a"], x["b"]]) - _P
    return v @ v / 2 + jnp.sum(v**4) / 4


def _rows(x, theta):
    a, b = x["a"], x["b"]
    return {"plane": a[0] + b[0] + b[1] - 1, "sphere": a @ a + b @ b - 2 * theta}


_X0 = {"a": np.array([1.5, 0.5]), "b": np.array([0.3, -0.8])}
curve = Constrained(_cost, _X0, (np.array(1.0),), eq=_rows, reference=_X0)


def _moved(theta):
    return eqx.tree_at(lambda p: p.args, curve, (theta * curve.args[0],))


def _narrow():
    x0 = jax.tree.map(lambda v: v.astype(np.float32), _X0)
    return Constrained(_cost, x0, (np.array(1.0, np.float32),), eq=_rows, reference=x0)


def _solution(theta):
    """Newton's method on the KKT system, in NumPy."""
    x, lam = np.array([1.5, 0.5, 0.3, -0.8]), np.zeros(2)
    plane = np.array([1.0, 0, 1, 1])
    for _ in range(60):
        v = x - _P
        J = np.stack([plane, 2 * x])
        c = np.array([plane @ x - 1, x @ x - 2 * theta])
        H = np.diag(1 + 3 * v**2 + 2 * lam[1])
        K = np.block([[H, J.T], [J, np.zeros((2, 2))]])
        z = np.linalg.solve(K, -np.concatenate([v + v**3 + J.T @ lam, c]))
        x, lam = x + z[:4], lam + z[4:]
    assert np.linalg.norm(z) < 1e-12
    return {"a": x[:2], "b": x[2:]}


BEDS = [
    Bed(
        name="curve",
        file=__file__,
        problem=curve,
        moved=_moved,
        poisoned=lambda: _moved(np.array(np.nan)),
        narrow=_narrow,
        solution=_solution,
        measures=distance(_solution(1.0)),
        smooth_path=False,
    )
]
