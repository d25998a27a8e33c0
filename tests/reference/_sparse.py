"""Sparse regressions with Hessians: (problem, oracles)."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from banach.kinds.composite.problem import Composite
from banach.terms.norms import L1

RNG = np.random.default_rng(8)
A = RNG.standard_normal((30, 5)) * np.array([1.0, 2.0, 0.5, 3.0, 1.0])
Y = np.where(A @ [1.0, 0.0, 2.0, -0.5, 0.0] + RNG.standard_normal(30) > 0, 1.0, -1.0)


def soft(v, k):
    """Soft threshold."""
    return np.sign(v) * np.maximum(np.abs(v) - k, 0)


def logistic(start=0.3, lam=2.0):
    """The sum of logistic losses and lam ||x||_1."""
    problem = Composite(
        lambda x: jnp.sum(jnp.logaddexp(0, -Y * jnp.matmul(A, x, precision="highest"))),
        L1(lam), np.full(5, start), convex=True,
    )  # fmt: skip

    def chance(x):
        return 1 / (1 + np.exp(Y * (A @ x)))

    return problem, SimpleNamespace(
        value=lambda x: np.sum(np.logaddexp(0, -Y * (A @ x))),
        grad=lambda x: -A.T @ (Y * chance(x)),
        hess=lambda x: (A.T * (chance(x) * (1 - chance(x)))) @ A,
        term=lambda x: lam * np.abs(x).sum(),
        prox=lambda v, t: soft(v, lam * t),
    )


def steep(start=(3.0, -4.0)):
    """sum sqrt(1 + x^2) + ||x||_1 / 10, where full Newton steps overshoot."""
    problem = Composite(
        lambda x: jnp.sum(jnp.sqrt(1 + x**2)), L1(0.1), np.array(start), convex=True
    )
    return problem, SimpleNamespace(
        value=lambda x: np.sum(np.sqrt(1 + x**2)),
        grad=lambda x: x / np.sqrt(1 + x**2),
        hess=lambda x: np.diag((1 + x**2) ** -1.5),
        term=lambda x: np.abs(x).sum() / 10,
        prox=lambda v, t: soft(v, 0.1 * t),
    )
