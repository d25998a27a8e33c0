"""Inclusions and saddles without constants: answers known, by default."""

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn

A = np.random.default_rng(8).normal(size=(3, 3)) + 2 * np.eye(3)
b = np.array([1.0, -0.5, 0.2])


def turned(z):
    return z**3 + 4 * jnp.stack([z[1], -z[0]]) - 1


@pytest.mark.parametrize("method", [None, "golden_ratio"])
def test_a_saddle(method):
    phi = lambda x, y: x @ A @ y + b @ x + 0.2 * x @ x - 0.3 * y @ y  # noqa: E731
    r = bn.solve(bn.saddle(phi, np.ones(3), np.ones(3), monotone=True), method)
    K = np.block([[0.4 * np.eye(3), A], [-A.T, 0.6 * np.eye(3)]])
    want = np.linalg.solve(K, np.append(-b, np.zeros(3)))
    assert r.status == "certified"
    np.testing.assert_allclose(np.concatenate(r.x), want, atol=1e-5)


@pytest.mark.parametrize("method", [None, "golden_ratio"])
def test_no_global_constant_is_needed(method):
    r = bn.solve(bn.Inclusion(turned, np.array([30.0, -20.0]), monotone=True), method)
    assert r.status == "certified" and r.steps < 2000
    assert np.linalg.norm(turned(np.asarray(r.x))) < 1e-5


@pytest.mark.parametrize("method", [None, "golden_ratio"])
def test_a_game_on_simplices(method):
    """Rock, paper, scissors with unequal stakes: q is proportional to the stakes."""
    M = np.array([[0.0, -1.0, 2.0], [1.0, 0.0, -3.0], [-2.0, 3.0, 0.0]])
    even = np.full(3, 1 / 3)
    both = bn.Product(bn.Simplex(), bn.Simplex())
    game = bn.saddle(lambda x, y: x @ M @ y, even, even, term=both, monotone=True)
    r = bn.solve(game, method)
    assert r.status == "certified"
    np.testing.assert_allclose(r.x[0], np.array([3, 2, 1]) / 6, atol=1e-4)
