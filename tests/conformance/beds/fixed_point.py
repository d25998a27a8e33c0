"""A smooth contraction in the 2-norm, and a graph map in the maximum norm."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from bed import Bed

from banach.kinds.fixed_point.problem import FixedPoint
from banach.kinds.graph_fixed_point.problem import GraphFixedPoint

_rng = np.random.default_rng(23)
_W = _rng.standard_normal((5, 5))
_W *= 0.6 / np.linalg.svd(_W, compute_uv=False)[0]
_b = _rng.standard_normal(5)
_Q = 0.6 * (1 + 1e-12)
_small = np.float32


def _layer(x, W, b):
    return jnp.tanh(W @ x + b)


layer = FixedPoint(_layer, np.zeros(5), (_W, _b), contraction=_Q, reference=np.zeros(5))

_NODES, _GAMMA = 4, 0.7
_senders = np.array([0, 1, 2, 3, 0, 2, 3, 1])
_receivers = np.array([1, 2, 3, 0, 2, 1, 1, 0])
_scores = _rng.standard_normal((2, 8))
_bias = _rng.standard_normal((2, _NODES, 2))

graph = GraphFixedPoint(_scores, _bias, _senders, _receivers, _GAMMA)


def _newton(theta):
    x = np.zeros(5)
    for _ in range(60):
        t = np.tanh(_W @ x + theta * _b)
        x = x - np.linalg.solve(np.eye(5) - (1 - t**2)[:, None] * _W, x - t)
    return x


def _dense(theta):
    A = np.zeros((2, _NODES, _NODES))
    for h in range(2):
        for s, j, i in zip(_scores[h], _senders, _receivers, strict=True):
            A[h, i, j] += np.exp(theta * s)
    return A / A.sum(axis=2, keepdims=True)


def _solved(theta):
    return np.linalg.solve(np.eye(_NODES) - _GAMMA * _dense(theta), theta * _bias)


def _moved(problem, pick):
    """The data that `pick` names, times theta."""

    def moved(theta):
        data = jax.tree.map(lambda v: theta * v, pick(problem))
        return eqx.tree_at(pick, problem, data)

    return moved


def _poisoned(problem, pick):
    def poison():
        data = pick(problem).copy()
        data.flat[1] = np.nan
        return eqx.tree_at(pick, problem, data)

    return poison


def _constants(q, error):
    return lambda start: SimpleNamespace(q=q, radius=error(np.asarray(start)))


def _euclidean(x):
    return float(np.linalg.norm(x - _newton(1.0)))


def _largest(x):
    return float(np.abs(x - _solved(1.0)).max())


BEDS = [
    Bed(
        name="layer",
        file=__file__,
        problem=layer,
        moved=_moved(layer, lambda p: p.args[1]),
        poisoned=_poisoned(layer, lambda p: p.args[1]),
        narrow=lambda: FixedPoint(
            _layer,
            np.zeros(5, _small),
            (_W.astype(_small), _b.astype(_small)),
            contraction=_Q,
            reference=np.zeros(5, _small),
        ),
        solution=_newton,
        measures={"||x-x*||": _euclidean, "||x - x*||": _euclidean},
        constants=_constants(_Q, _euclidean),
    ),
    Bed(
        name="graph",
        file=__file__,
        problem=graph,
        moved=_moved(graph, lambda p: [p.scores, p.bias]),
        poisoned=_poisoned(graph, lambda p: p.bias),
        narrow=lambda: GraphFixedPoint(
            _scores.astype(_small),
            _bias.astype(_small),
            _senders,
            _receivers,
            _small(_GAMMA),
        ),
        solution=_solved,
        measures={"||x-x*||_inf": _largest, "||x - x*||": _largest},
        constants=_constants(_GAMMA, _largest),
    ),
]
