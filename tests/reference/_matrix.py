"""Least squares with a matrix W and a vector b as unknowns, a row of data a term."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import sum_case
from reference import _draws
from reference._case import Case

from banach.kinds.finite_sum.problem import FiniteSum


def case(shape, steps, /, told=None, **given):
    """A case whose oracles are `split(x)` and `gradients(x, rows)`, both (W, b)."""
    rng = np.random.default_rng(31)
    m, n = shape
    A, Y = rng.standard_normal((sum_case.N, m)), rng.standard_normal((sum_case.N, n))
    x0 = {"W": rng.standard_normal(shape) / 2, "b": rng.standard_normal(n) / 2}

    def loss(x, d):
        residual = jnp.matmul(d[0], x["W"], precision="highest") + x["b"] - d[1]
        return jnp.sum(residual**2) / 2

    def split(x):
        return x[: m * n].reshape(shape), x[m * n :]

    def gradients(x, rows):
        W, b = x
        r = A[rows] @ W + b - Y[rows]
        return A[rows].T @ r / len(rows), r.mean(axis=0)

    def drawn(keys):
        more = told(keys) if callable(told) else told or {}
        return {"take": _draws.taker(keys), **more}

    oracles = SimpleNamespace(split=split, gradients=gradients)
    problem = FiniteSum(loss, x0, (A, Y), reference=x0)
    return Case(problem, oracles, given, drawn, steps)


def joined(x):
    """As `tree.ravel` has it."""
    return np.concatenate([np.ravel(v) for v in x])
