"""Structured problems that references are compared on: (problem, oracles)."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from banach.kinds.structured.problem import Structured
from banach.terms.norms import L1, ElasticNet

_rng = np.random.default_rng(31)
A, b = _rng.standard_normal((6, 5)), _rng.standard_normal(6)
K, x0 = _rng.standard_normal((3, 5)), _rng.standard_normal(5)


def shrink(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0)


def fused(quadratic=True):
    """Least squares, an l1 term of 0.3, and one of 0.5 of K x."""
    L = float(np.linalg.norm(A, 2) ** 2)
    problem = Structured(
        lambda x: jnp.sum((A @ x - b) ** 2) / 2, L1(0.3), L1(0.5), K, x0, L=L,
        convex=True, quadratic=quadratic,
    )  # fmt: skip
    return problem, SimpleNamespace(
        grad=lambda x: A.T @ (A @ x - b),
        prox=lambda v, t: shrink(v, 0.3 * t),
        outer_prox=lambda v, t: shrink(v, 0.5 * t),
        K=K, H=A.T @ A, c=-A.T @ b, L=L, norm=float(problem.facts().get("norm")),
    )  # fmt: skip


def elastic():
    """No f: an elastic net of 0.3 and 0.8, and an l1 term of 0.5 of K x."""
    problem = Structured(None, ElasticNet(0.3, 0.8), L1(0.5), K, x0)
    return problem, SimpleNamespace(
        grad=np.zeros_like,
        prox=lambda v, t: shrink(v, 0.3 * t) / (1 + 0.8 * t),
        outer_prox=lambda v, t: shrink(v, 0.5 * t),
        K=K, H=np.zeros((5, 5)), c=np.zeros(5), L=0.0,
        norm=float(problem.facts().get("norm")),
    )  # fmt: skip
