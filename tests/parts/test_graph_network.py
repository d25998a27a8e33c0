"""The graph network: its maps contract, its gradient is implicit, order is nothing."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.parts.graph_network import graph_solver, row_stochastic

rng = np.random.default_rng(3)
N = 7
FEATURES, EDGES = rng.standard_normal((N, 2)), rng.standard_normal((N, N, 1))
ADJACENCY = rng.random((N, N)) < 0.5
ADJACENCY[4] = False


@pytest.fixture
def solver():
    return graph_solver(jax.random.key(0), 2, 1, dtype=np.float64)


def test_rows_are_averages_over_neighbours():
    scores = 300 * rng.standard_normal((3, N, N))
    A = np.asarray(row_stochastic(scores, ADJACENCY))
    assert np.all(A[:, ~ADJACENCY] == 0) and np.all(A >= 0)
    np.testing.assert_allclose(A.sum(-1)[:, np.arange(N) != 4], 1, rtol=1e-14)
    assert np.all(A[:, 4] == 0)


def test_its_fixed_points_are_those_of_the_problem_and_certified(solver):
    scores, bias = solver.maps(FEATURES, EDGES, ADJACENCY)
    problem = bn.GraphFixedPoint.from_adjacency(
        np.asarray(scores), np.asarray(bias), ADJACENCY, float(solver.gamma)
    )
    r = bn.solve(problem, bn.Picard(1.0), tol=1e-11)
    assert r.certified and r.certificate.assumes == ("q: by construction",)
    H = solver.fixed_points(FEATURES, EDGES, ADJACENCY)
    np.testing.assert_allclose(r.x, H, atol=1e-10)
    said = solver.answer(jnp.asarray(r.x), FEATURES)
    np.testing.assert_allclose(said, solver(FEATURES, EDGES, ADJACENCY), atol=1e-9)


def test_the_gradient_is_the_finite_difference(solver):
    flat, back = jax.flatten_util.ravel_pytree(solver)

    @jax.jit
    def loss(v):
        return jnp.sum(back(v)(FEATURES, EDGES, ADJACENCY) ** 2)

    g = jax.jit(jax.grad(loss))(flat)
    for _ in range(3):
        d = rng.standard_normal(flat.size)
        d /= 10 * np.linalg.norm(d)
        want = float(loss(flat + 1e-5 * d) - loss(flat - 1e-5 * d)) / 2e-5
        assert float(g @ d) == pytest.approx(want, rel=1e-6, abs=1e-9)


def test_the_order_of_the_nodes_does_not_matter(solver):
    order = rng.permutation(N)
    out = solver(FEATURES, EDGES, ADJACENCY)
    moved = solver(FEATURES[order], EDGES[order][:, order], ADJACENCY[order][:, order])
    np.testing.assert_allclose(moved, out[order], rtol=1e-9)
