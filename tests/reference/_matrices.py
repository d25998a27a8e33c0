"""A small softmax regression of 3 x 4 weights, with or without a bias, by leaves."""

from types import SimpleNamespace

import jax
import numpy as np
import sum_case
from reference import _draws

from banach.kinds.finite_sum.problem import FiniteSum

_rng = np.random.default_rng(41)
A = _rng.standard_normal((sum_case.N, 3)) * [1.0, 2.0, 0.5]
Y = _rng.integers(0, 4, sum_case.N)
W, B = _rng.standard_normal((3, 4)) / 2, _rng.standard_normal(4) / 3
L2 = 0.05


def loss(x, d):
    W, b = x if isinstance(x, tuple) else (x, 0.0)
    z = d[0] @ W + b
    return jax.nn.logsumexp(z) - z[d[1]]


def problem(bias=True):
    return FiniteSum(loss, (W, B) if bias else W, (A, Y), l2=L2, convex=True)


def split(x):
    """[W], or [W, b], of a flat x."""
    return [x[:12].reshape(3, 4), *([x[12:]] if x.size > 12 else [])]


def joined(leaves):
    return np.concatenate([np.ravel(v) for v in leaves])


def term_gradients(x):
    W, b = [*split(x), 0.0][:2]
    z = A @ W + b
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True) - np.eye(4)[Y]
    rows = [(A[:, :, None] * p[:, None]).reshape(len(A), -1), p]
    return np.concatenate(rows[: 1 + (x.size > 12)], axis=1) + L2 * x


ORACLES = SimpleNamespace(term_gradients=term_gradients)


def case(steps=8, /, bias=True, **given):
    """A case on it, whose reference is told the draws."""
    told = _draws.case(problem(bias), steps, None, **given)
    return type(told)(told.problem, ORACLES, told.given, told.told, steps)


def gradients(x, take, batch, t):
    """Of the batch of step t, by leaves."""
    return split(term_gradients(x)[take(t - 1, batch)].mean(axis=0))
