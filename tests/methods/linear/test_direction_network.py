"""The network of directions: its Ritz vectors, its training, what it sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree
from banach.methods.linear import _direction_network as dn
from banach.methods.linear._ritz import ritz_vectors
from banach.parts.grid_laplacians import poisson_grid

RNG = np.random.default_rng(4)


def test_ritz_vectors_are_orthonormal_and_near_eigenvectors():
    grid = poisson_grid(np.zeros((12, 12), bool))
    V = ritz_vectors(grid, 60).reshape(60, -1)
    np.testing.assert_allclose(V @ V.T, np.eye(60), atol=1e-10)
    K = np.asarray(grid.matrix(jnp.zeros((12, 12))))
    values = np.diag(V @ K @ V.T)
    assert np.all(np.diff(values) > -1e-10)
    # The lowest eigenvalue: 8 sin^2(pi / 26).
    assert values[0] == pytest.approx(8 * np.sin(np.pi / 26) ** 2, rel=1e-8)


def test_the_network_is_homogeneous_and_blind_to_what_obstacles_hold():
    network = tree.cast(dn.trained(), float)
    apart = np.zeros((8, 8), bool)
    apart[3:5, 4:6] = True
    r = RNG.standard_normal((8, 8))
    rows = np.stack([r, 3 * r, np.where(apart, 7.0, r)])
    d, three, other = np.asarray(jax.jit(jax.vmap(lambda v: network(v, apart)))(rows))
    np.testing.assert_allclose(three, 3 * d, rtol=1e-12)
    np.testing.assert_array_equal(d[apart], r[apart])
    np.testing.assert_array_equal(other[~apart], d[~apart])


def test_training_lowers_the_loss_which_is_the_least_over_all_lengths():
    grid = tree.cast(poisson_grid(np.zeros((8, 8), bool)), np.single)
    network, losses = dn.train(grid, steps=60, vectors=30)
    assert losses.shape == (60,) and network.out.dtype == np.single
    unseen = RNG.standard_normal((8, 8, 8)).astype(np.single)
    unseen /= np.linalg.norm(unseen, axis=(1, 2), keepdims=True)

    @jax.jit
    def judge(network):
        empty = np.zeros((8, 8), bool)
        ds = jax.vmap(lambda r: grid.matvec(network(r, empty)))(unseen)
        return dn.loss(network, grid, jnp.asarray(unseen)), ds

    after, curved = judge(network)
    assert float(after) < 0.5 * float(judge(dn.fresh(jax.random.key(0), np.single))[0])
    a = np.sum(unseen * curved, (1, 2)) / np.sum(curved * curved, (1, 2))
    least = np.sum((unseen - a[:, None, None] * curved) ** 2, (1, 2)).mean()
    assert float(after) == pytest.approx(float(least), rel=1e-4)
