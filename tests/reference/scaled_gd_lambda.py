"""Xu, Shen, Chi and Ma (2023), equation of ScaledGD(lambda), the inverse spelt out."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case, bowl

from banach.kinds.smooth.problem import Smooth


def sensing():
    """Twelve measurements of a 4 x 4 matrix of rank 1, two columns of X."""
    rng = np.random.default_rng(6)
    A = rng.standard_normal((12, 4, 4)) / 12**0.5
    A, u = A + A.transpose(0, 2, 1), rng.standard_normal(4)
    y, x0 = np.einsum("kij,i,j->k", A, u, u), rng.standard_normal((4, 2))

    def value(X):
        return jnp.sum((jnp.einsum("kij,ir,jr->k", A, X, X) - y) ** 2) / 4

    def grad(X):
        return np.einsum("k,kij->ij", np.einsum("kij,ir,jr->k", A, X, X) - y, A) @ X

    return Smooth(value, x0), SimpleNamespace(grad=grad, columns=2)


CASES = [
    Case(*sensing(), given={"step_size": 0.02, "damping": 0.3}),
    Case(*bowl(L=5.0), told={"step_size": 0.2, "damping": 1.0}),
]


def iterates(oracles, x, steps, *, step_size, damping):
    out = []
    for _ in range(steps):
        X = x.reshape(-1, getattr(oracles, "columns", 1))
        g = oracles.grad(X if X.shape[1] > 1 else x).reshape(X.shape)
        scaled = g @ np.linalg.inv(X.T @ X + damping * np.eye(X.shape[1]))
        x = x - step_size * scaled.ravel()
        out.append(x)
    return out
