"""The quadratic steps of splittings of f(x) + g(x) + h(z), z = K x: one factorisation.

With f(x) = x'H x / 2 + c'x, or no f, and n >= ||K||, all of them solve

    (t H + I + K'K / n^2) x = a + K'b / n^2 - t c

for other a, b and t. n puts the rows of K in the unit of x.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.scipy.linalg as jsl
from jaxtyping import Array, Float

from banach.core.tree import PRECISION


class GraphSolves(eqx.Module):
    """V with V'(I + K'K / n^2) V = I and V'H V = diag(values); and c."""

    vectors: Float[Array, "n n"]
    values: Float[Array, " n"]
    linear: Float[Array, " n"]

    def __call__(self, problem: Any, a: Array, b: Array, t: Any, n: Any) -> Array:
        """x, in the shape of a."""
        right = jnp.ravel(a + problem.adjoint(b) / n**2) - t * self.linear
        inner = jnp.matmul(right, self.vectors, precision=PRECISION)
        x = jnp.matmul(self.vectors, inner / (1 + t * self.values), precision=PRECISION)
        return x.reshape(a.shape)


def graph_solves(problem: Any, x: Array, n: Any) -> GraphSolves:
    """Of a quadratic f, by a Cholesky factorisation and an eigenproblem."""
    low = _factor(problem, x, n)
    half = jsl.solve_triangular(low, problem.hess(x), lower=True)
    H = jsl.solve_triangular(low, half.T, lower=True)
    values, turn = jnp.linalg.eigh((H + H.T) / 2)
    vectors = jsl.solve_triangular(low.T, turn, lower=False)
    return GraphSolves(vectors, values, jnp.ravel(problem.grad(jnp.zeros_like(x))))


def graph_projection(problem: Any, x: Array, n: Any) -> GraphSolves:
    """Without f: the projection onto the graph of K / n."""
    low = _factor(problem, x, n)
    one, zero = jnp.eye(x.size, dtype=x.dtype), jnp.zeros(x.size, x.dtype)
    return GraphSolves(jsl.solve_triangular(low.T, one, lower=False), zero, zero)


def _factor(problem: Any, x: Array, n: Any) -> Array:
    """The Cholesky factor of I + K'K / n^2."""
    K = problem.matrix() / jnp.asarray(n, x.dtype)
    G = jnp.eye(x.size, dtype=x.dtype) + jnp.matmul(K.T, K, precision=PRECISION)
    return jnp.linalg.cholesky(G)
