"""DCDM: the reference, the safeguards, its network and the training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import deep_conjugate_direction as reference
from test_conjugate_gradient import iterates

import banach as bn
from banach.core import tree
from banach.core.method import Refusal
from banach.kinds.linear.zoo import right_side
from banach.methods.linear import _direction_network as dn
from banach.methods.linear._ritz import ritz_vectors
from banach.methods.linear.deep_conjugate_direction import DeepConjugateDirection
from banach.parts.grid_laplacians import obstacles, poisson_grid

RNG = np.random.default_rng(4)
Q = RNG.standard_normal((14, 14))
A = Q @ Q.T + np.diag(np.arange(1.0, 15))
B = RNG.standard_normal(14)
W = np.linalg.inv(A) + 0.002 * RNG.standard_normal((14, 14))


class Layer(eqx.Module):
    """A small nonlinear network for vectors."""

    weights: jax.Array

    def __call__(self, r, apart):
        assert apart is None
        d = jnp.matmul(self.weights, r, precision=tree.PRECISION)
        return d + 0.01 * jnp.maximum(d, 0)


def by_numpy(r):
    d = W @ r
    return d + 0.01 * np.maximum(d, 0)


@pytest.mark.parametrize("memory", [1, 2, 3])
def test_iterates_equal_the_reference(memory):
    method = DeepConjugateDirection(Layer(W), memory)
    ours, state = iterates(bn.Linear(A, B), method, 10)
    theirs = reference.iterates(A, B, np.zeros(14), 10, network=by_numpy, memory=memory)
    scale = np.abs(theirs[-1]).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)
    assert int(state.fallbacks) == 0 and int(state.products) == 10


def test_the_residual_as_direction_is_conjugate_gradients():
    """Kaneda et al.: with f the identity and two directions it is CG."""
    from banach.methods.linear.conjugate_gradient import ConjugateGradient
    from banach.parts.preconditioners import Plain

    problem = bn.Linear(A, B)
    ours, _ = iterates(problem, DeepConjugateDirection(lambda r, apart: r), 8)
    theirs, _ = iterates(problem, ConjugateGradient(Plain()), 8)
    scale = np.abs(theirs[-1]).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize(
    "wrong",
    [lambda r, apart: -r, lambda r, apart: 0 * r, lambda r, apart: jnp.nan * r],
    ids=["uphill", "zero", "nan"],
)
def test_a_useless_direction_falls_back_on_the_residual(wrong):
    best = np.linalg.solve(A, B)

    def energy(x):
        return float((x - best) @ A @ (x - best))

    xs, state = iterates(bn.Linear(A, B), DeepConjugateDirection(wrong), 14)
    falls = np.array([energy(x) for x in [np.zeros(14), *xs]])
    assert int(state.fallbacks) == 14 and int(state.products) == 28
    assert np.all(np.diff(falls) <= 0) and falls[-1] < 1e-12 * falls[0]


def test_the_energy_never_grows_whatever_the_network_says():
    rng = np.random.default_rng(0)
    garbage = Layer(rng.standard_normal((14, 14)))
    best = np.linalg.solve(A, B)
    xs, _ = iterates(bn.Linear(A, B), DeepConjugateDirection(garbage), 40)
    falls = np.array([(x - best) @ A @ (x - best) for x in xs])
    assert np.all(np.diff(falls) <= 1e-15 * falls[0])
    assert falls[-1] < 0.1 * falls[0]


def test_ritz_vectors_are_orthonormal_and_near_eigenvectors():
    grid = poisson_grid(np.zeros((12, 12), bool))
    V = ritz_vectors(grid, 60).reshape(60, -1)
    np.testing.assert_allclose(V @ V.T, np.eye(60), atol=1e-10)
    K = np.asarray(grid.matrix(jnp.zeros((12, 12))))
    values = np.diag(V @ K @ V.T)
    assert np.all(np.diff(values) > -1e-10)
    # The lowest eigenvalue: 8 sin^2(pi / 26).
    assert values[0] == pytest.approx(8 * np.sin(np.pi / 26) ** 2, rel=1e-8)


def test_the_network_is_homogeneous_and_blind_to_obstacles_values():
    network = dn.fresh(jax.random.key(0), np.float64)
    apart = np.zeros((11, 14), bool)
    apart[3:5, 4:8] = True
    r = RNG.standard_normal((11, 14))
    d = np.asarray(network(jnp.asarray(r), apart))
    np.testing.assert_allclose(network(3 * jnp.asarray(r), apart), 3 * d, rtol=1e-12)
    np.testing.assert_array_equal(d[apart], r[apart])
    other = np.where(apart, 7.0, r)
    np.testing.assert_array_equal(
        np.asarray(network(jnp.asarray(other), apart))[~apart], d[~apart]
    )


def test_the_loss_is_the_least_over_all_lengths():
    grid = poisson_grid(np.zeros((8, 8), bool))
    network = dn.fresh(jax.random.key(1), np.float64)
    r = RNG.standard_normal((1, 8, 8))
    r /= np.linalg.norm(r)
    curved = np.asarray(grid.matvec(network(jnp.asarray(r[0]), np.zeros((8, 8), bool))))
    a = np.vdot(r, curved) / np.vdot(curved, curved)
    least = np.sum((r[0] - a * curved) ** 2)
    assert float(dn.loss(network, grid, jnp.asarray(r))) == pytest.approx(least)


def test_training_lowers_the_loss_of_unseen_right_sides():
    grid = tree.cast(poisson_grid(np.zeros((16, 16), bool)), np.single)
    network, losses = dn.train(grid, steps=60, vectors=60)
    assert losses.shape == (60,) and network.out.dtype == np.single
    unseen = RNG.standard_normal((8, 16, 16)).astype(np.single)
    unseen /= np.linalg.norm(unseen, axis=(1, 2), keepdims=True)
    before = dn.fresh(jax.random.key(0), np.single)
    after = float(dn.loss(network, grid, unseen))
    assert after < 0.5 * float(dn.loss(before, grid, unseen))
    again, _ = dn.train(grid, steps=60, vectors=60)
    for a, b in zip(jax.tree.leaves(network), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_a_grid_it_asks_for_a_network():
    no = DeepConjugateDirection.suggest(bn.Linear(A, B), None)
    assert isinstance(no, Refusal) and "network=" in no.cure


@pytest.mark.parametrize("n", [32, 64])
def test_the_shipped_weights_need_few_steps_on_unseen_obstacles(n):
    """A third of the steps of conjugate gradients, to 1e-4, at both sizes."""
    solid = obstacles(n, 77)
    problem = bn.Linear(poisson_grid(solid), right_side(solid, 78))
    r = bn.solve(problem, "deep_conjugate_direction", tol=1e-4, max_steps=60)
    plain = bn.solve(problem, bn.ConjugateGradient(bn.Plain()), tol=1e-4)
    assert r.certified and plain.certified
    # CG is looked at every ten steps.
    assert 3 * r.steps <= plain.steps - 10
    assert int(r.carry.state.fallbacks) == 0
