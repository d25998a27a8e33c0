"""Gradient descent for matrix factors, preconditioned from the right by their Gram."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, fact, real
from banach.core.method import Method


class ScaledGdLambdaState(eqx.Module):
    """Iterate."""

    x: PyTree


@method(
    problem="Smooth",
    needs={"grad"},
    assumes={"smooth"},
    paper="xu2023power",
    cost={"grad": 1},
)
class ScaledGdLambda(Method):
    """Gradient steps on a factor X of a low-rank matrix X X', scaled by X'X.

    X+ = X - step_size grad f(X) (X'X + damping I)^-1

    For f(X) = ||A(X X') - y||^2 / 4 with more columns than the true rank, from a small
    random X: where A is nearly an isometry on low ranks, damping about the least
    eigenvalue of the true matrix, and step_size a constant such as 0.3, the error falls
    linearly at a rate without the condition number, after about log(condition) log(n
    condition) steps. One solve of r x r a step. Every leaf of the variable is a factor
    of its own, a vector one of a single column (ours); two factors L R' are left out.

    By default step_size is 1 / L, safe for the default damping of 1 and any f of known
    L. Fails at X = 0, which is stationary, and where step_size is too large.
    """

    step_size: Any = fact("L", lambda L: 1 / L, instead="lbfgs, which needs no L")
    damping: Real = real(1.0)

    def init(self, problem, start, key):
        return ScaledGdLambdaState(start.x)

    def step(self, problem, state, key):
        def move(x, g):
            X, G = (v.reshape(-1, v.shape[-1] if v.ndim > 1 else 1) for v in (x, g))
            eye = jnp.eye(X.shape[1], dtype=X.dtype)
            gram = jnp.matmul(X.T, X, precision=tree.PRECISION)
            gram = gram + jnp.asarray(self.damping, X.dtype) * eye
            return jnp.linalg.solve(gram, G.T).T.reshape(x.shape)

        moves = jax.tree.map(move, state.x, problem.grad(state.x))
        return ScaledGdLambdaState(tree.axpy(-self.step_size, moves, state.x))
