"""Sums whose unknowns are matrices: softmax regressions, and networks of two layers."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims.course import fresh
from banach.kinds.finite_sum.problem import FiniteSum
from banach.zoo import datasets

L2 = 1e-3


@functools.cache
def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Standardised rows and classes of four real tables and of a drawn one."""
    made = {
        name: getattr(datasets, name)()
        for name in ("digits", "wine", "iris", "breast_cancer")
    }
    found = {k: (datasets.standardised(t.A), np.asarray(t.y)) for k, t in made.items()}
    rng = np.random.default_rng(fresh())
    A = rng.standard_normal((300, 12)) @ (
        np.eye(12) + rng.standard_normal((12, 12)) / 3
    )
    scores = A @ rng.standard_normal((12, 4)) + rng.gumbel(size=(300, 4))
    return {**found, "fresh": (datasets.standardised(A), scores.argmax(axis=1))}


def _entropy(z: Any, label: Any) -> Any:
    return jax.nn.logsumexp(z) - z[label]


@functools.cache
def softmax(name: str) -> FiniteSum:
    """Mean cross entropy of a matrix of weights, from 0, l2 = 1e-3."""
    A, y = tables()[name]
    zero = np.zeros((A.shape[1], y.max() + 1))
    loss = lambda W, d: _entropy(d[0] @ W, d[1])  # noqa: E731
    return FiniteSum(loss, zero, (A, y), l2=L2, convex=True)


@functools.cache
def network(name: str) -> FiniteSum:
    """32 tanh units without biases, l2 = 1e-4."""
    A, y = tables()[name]
    rng = np.random.default_rng(1)

    def layer(m: int, k: int) -> np.ndarray:
        return rng.standard_normal((m, k)) / np.sqrt(m)

    def loss(W: Any, d: Any) -> Any:
        return _entropy(jnp.tanh(d[0] @ W[0]) @ W[1], d[1])

    start = (layer(A.shape[1], 32), layer(32, y.max() + 1))
    return FiniteSum(loss, start, (A, y), l2=1e-4)
