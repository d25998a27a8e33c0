"""Inverse roots and Kronecker statistics, in numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.parts import kronecker

rng = np.random.default_rng(7)


@pytest.mark.parametrize("p", [2, 4, 6])
def test_roots_are_certified_in_float32(p):
    Q = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    A = (Q * np.logspace(-2, 1, 20)) @ Q.T
    X, error = jax.jit(lambda A: kronecker.inverse_root(A, p, 1e-5))(
        jnp.asarray(A, "float32")
    )
    top = np.linalg.eigvalsh(A)[-1]
    assert float(error) < 1e-4
    want = np.linalg.matrix_power(np.asarray(X, float), p) @ (
        A + 1e-5 * top * np.eye(20)
    )
    np.testing.assert_allclose(want, np.eye(20), atol=5e-3)
    np.testing.assert_array_equal(
        kronecker.inverse_root(jnp.zeros((2, 2)), p, 0.1)[0], np.eye(2)
    )


def test_a_tensor_of_three_modes_has_a_factor_of_each():
    G = rng.normal(size=(2, 3, 4)).astype("float32")
    tx = bn.train.shampoo(1.0, eps=0.1)
    u, _ = tx.update(jnp.asarray(G), tx.init(jnp.zeros_like(G)), jnp.zeros_like(G))
    want = -G
    for i in range(3):
        M = np.moveaxis(G, i, 0).reshape(G.shape[i], -1)
        w, V = np.linalg.eigh(M @ M.T + 0.1 * np.eye(len(M)))
        root = (V * w ** (-1 / 6)) @ V.T
        want = np.moveaxis(np.tensordot(root, want, (1, i)), 0, i)
    np.testing.assert_allclose(u, want, rtol=2e-4, atol=1e-5)
