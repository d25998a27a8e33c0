"""A finite sum of affine operators over a box, its NumPy oracles, and iterates."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.engine.loop import leaves_in
from banach.kinds.inclusion.problem import Inclusion
from banach.terms.sets import Box

N, D, SIDE = 9, 3, 0.5
rng = np.random.default_rng(4)
half, turn = rng.standard_normal((2, N, D, D)) / 2
M = half @ half.swapaxes(1, 2) + turn - turn.swapaxes(1, 2) + 0.1 * np.eye(D)
Q = rng.standard_normal((N, D)) + np.array([2.0, 0.1, -0.1])
MEAN, SQUARE = M.mean(0), np.einsum("nij,nik->jk", M, M) / N
L = float(np.linalg.norm(MEAN, 2))
L_AVERAGE = float(np.linalg.norm(SQUARE, 2) ** 0.5)
Z0 = np.array([0.4, -0.3, 0.2])


def least(square):
    """The largest beta with sym(MEAN) - beta square positive semidefinite."""
    half = np.linalg.inv(np.linalg.cholesky(square))
    return float(np.linalg.eigvalsh(half @ (MEAN + MEAN.T) @ half.T / 2)[0])


BETA, BETA_AVERAGE = least(MEAN.T @ MEAN), least(SQUARE)
ORACLES = SimpleNamespace(
    n=N,
    operator=lambda z: MEAN @ z + Q.mean(0),
    one=lambda i, z: M[i] @ z + Q[i],
    resolvent=lambda v, t: np.clip(v, -SIDE, SIDE),
)


def problem(**facts):
    """0 in F + the normal cone of the box, with what is declared."""

    def affine(z, datum):
        matrix, q = datum
        return jnp.matmul(matrix, z, precision="highest") + q

    return Inclusion(affine, Z0, (M, Q), term=Box(-SIDE, SIDE), **facts)


def keys_of(steps, seed=0):
    return jax.random.split(jax.random.key(seed), steps)


def iterates(problem, method, steps, seed=0):
    """z after each step, flattened, with the keys of `keys_of`, and the last state."""
    start = problem.start()
    method = leaves_in(np.float64, method)
    keys = keys_of(steps, seed)

    @jax.jit
    def go(problem, method):
        def one(state, key):
            state = jax.tree.map(
                lambda v, m: jnp.asarray(v, m.dtype),
                method.step(problem, state, key),
                state,
            )
            return state, tree.ravel(method.point(state).x)[0]

        first = method.init(problem, start, keys[0])
        first = jax.tree.map(lambda v: jnp.asarray(v, jnp.result_type(v)), first)
        return jax.lax.scan(one, first, keys)

    state, zs = go(problem, method)
    return np.asarray(zs), state
