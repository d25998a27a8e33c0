"""A network of one layer over a pytree: logistic outputs, weights penalised."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from bed import Bed, gap

from banach.kinds.training.problem import Training

_rng = np.random.default_rng(6)
_n = 20
_A = _rng.standard_normal((_n, 2)) + 0.3
_y = np.where(_A @ np.array([1.0, 0.5]) + _rng.standard_normal(_n) > 0, 1.0, -1.0)
_L2 = 0.2
_P0 = {"W": np.array([0.1, -0.2]), "b": np.array(0.3)}
_small = np.float32


def _model(params, x, key):
    return x @ params["W"] + params["b"]


def _loss(z, y):
    return jnp.logaddexp(0.0, -y * z)


def _stated(A, y, params, l2):
    return Training(_model, _loss, params, A, y, l2=l2, reference=params)


one_layer = _stated(_A, _y, _P0, _L2)


def _with(inputs):
    return eqx.tree_at(lambda p: p.sum.data[0], one_layer, inputs)


def _poisoned():
    A = _A.copy()
    A[3, 1] = np.nan
    return _with(A)


def _narrow():
    params = jax.tree.map(lambda v: np.asarray(v, _small), _P0)
    return _stated(_A.astype(_small), _y.astype(_small), params, _small(_L2))


def _solution(theta):
    B, v = np.c_[theta * _A, np.ones(_n)], np.zeros(3)
    for _ in range(60):
        s = 1 / (1 + np.exp(_y * (B @ v)))
        g = _L2 * v - B.T @ (_y * s) / _n
        H = _L2 * np.eye(3) + (B.T * (s * (1 - s))) @ B / _n
        v = v - np.linalg.solve(H, g)
    return {"W": v[:2], "b": v[2]}


def _objective(x):
    W, b = np.asarray(x["W"]), float(x["b"])
    loss = np.logaddexp(0, -_y * (_A @ W + b)).mean()
    return float(loss + _L2 / 2 * (W @ W + b * b))


BEDS = [
    Bed(
        name="one_layer",
        file=__file__,
        problem=one_layer,
        moved=lambda theta: _with(theta * one_layer.sum.data[0]),
        poisoned=_poisoned,
        narrow=_narrow,
        solution=_solution,
        measures=gap(_objective, _solution(1.0)),
        smooth_path=False,
    )
]
