"""Products with the inverse Fisher matrix against dense inverses."""

import jax.numpy as jnp
import numpy as np

import banach as bn
from banach.parts.inverse_fisher import inverse_fisher_diagonal, inverse_fisher_product

rng = np.random.default_rng(9)


def test_products_and_diagonal_are_those_of_the_dense_inverse():
    G, x = rng.normal(size=(8, 50)).astype("float32"), rng.normal(size=50)
    F = 0.1 * np.eye(50) + G.T.astype(float) @ G / 8
    want = np.linalg.solve(F, x)
    got = inverse_fisher_product(jnp.asarray(G), jnp.asarray(x, "float32"), 0.1)
    np.testing.assert_allclose(got, want, atol=1e-5 * np.abs(want).max())
    got = inverse_fisher_diagonal(jnp.asarray(G), 0.1)
    np.testing.assert_allclose(got, np.diag(np.linalg.inv(F)), rtol=1e-5)


def test_the_first_step_in_float32_loses_nothing_to_a_small_damping():
    g = jnp.asarray(rng.normal(size=30), "float32")
    tx = bn.train.m_fac(1.0, damping=1e-9, momentum=0.0, window=8)
    u, _ = tx.update(g, tx.init(g), g)
    square = float(np.sum(np.asarray(g, float) ** 2))
    np.testing.assert_allclose(u, -g / (1e-9 + square / 8), rtol=1e-5)
