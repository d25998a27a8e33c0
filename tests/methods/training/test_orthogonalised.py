"""Polar factors by products: against optax and the decomposition, in numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import banach as bn
from banach.parts.orthogonalisation import (
    TURBO,
    by_shape,
    newton_schulz,
    orthogonality_error,
    polar,
)

rng = np.random.default_rng(5)


def moved(tx, grads, params):
    state, seen = tx.init(params), []
    for g in grads:
        u, state = jax.jit(tx.update)(g, state, params)
        seen.append(u)
    return seen


def test_turbo_muon_is_optax_muon_of_almost_orthogonal_layers():
    params = {"a": jnp.zeros((6, 9)), "b": jnp.zeros((8, 3)), "c": jnp.zeros((6, 9))}
    draw = lambda v: jnp.asarray(rng.normal(size=v.shape))  # noqa: E731
    grads = [jax.tree.map(draw, params) for _ in range(3)]
    told = dict(beta=0.8, nesterov=False, preconditioning="aol")
    peer = optax.contrib.muon(0.1, ns_coeffs=TURBO, ns_steps=4, **told)
    ours = bn.train.turbo_muon(0.1, 0.8, nesterov=False)
    pairs = zip(moved(ours, grads, params), moved(peer, grads, params), strict=True)
    for got, want in pairs:
        for a, b in zip(*map(jax.tree.leaves, (got, want)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_four_scaled_steps_are_nearer_to_orthogonal_than_five_of_muon():
    ways = lambda X: (newton_schulz(X, TURBO, aol=True), newton_schulz(X))  # noqa: E731
    found = []
    for shape in ((24, 24), (16, 40), (48, 12)):
        X = jnp.asarray(rng.normal(size=shape))
        four, five = jax.jit(ways)(X)
        found.append(
            (float(orthogonality_error(four)), float(orthogonality_error(five)))
        )
    assert all(a < b for a, b in found), found
    np.testing.assert_allclose(orthogonality_error(2 * jnp.eye(3)), 3.0)


def test_spectral_steps_are_muon_and_the_polar_factor_minimises_over_the_ball():
    params = [jnp.zeros((5, 5))]
    grads = [[jnp.asarray(rng.normal(size=(5, 5)))] for _ in range(2)]
    peer = optax.contrib.muon(0.1, beta=0.0, nesterov=False)
    ours = bn.train.non_euclidean_trust_region(0.1, momentum=0.0)
    pairs = zip(moved(ours, grads, params), moved(peer, grads, params), strict=True)
    for got, want in pairs:
        np.testing.assert_allclose(got[0], want[0], rtol=1e-5, atol=1e-6)
    rule = bn.NonEuclideanTrustRegion(weight_decay=0.5)
    (g,) = grads[0]
    nuclear = np.linalg.svd(np.asarray(g), compute_uv=False).sum()
    np.testing.assert_allclose(jnp.vdot(polar(g), g), nuclear, rtol=1e-5)
    np.testing.assert_allclose(rule.dual_norm({"w": g}), nuclear, rtol=1e-5)
    x = jnp.asarray(rng.normal(size=(5, 5)))
    want = np.vdot(g, x) + 2 * nuclear
    np.testing.assert_allclose(rule.frank_wolfe_gap([x], [g]), want, rtol=1e-5)
    assert not np.any(polar(jnp.zeros((3, 2))))


def test_matrices_of_a_shape_go_together():
    leaves = [jnp.ones((2, 3)), jnp.ones((3, 2)), 2 * jnp.ones((2, 3))]
    sizes = []
    out = by_shape(lambda v: (sizes.append(len(v)), v + 1)[1], leaves)
    assert sizes == [2, 1]
    np.testing.assert_array_equal(out[2], 3 * np.ones((2, 3)))


def test_a_problem_with_other_leaves_is_refused_with_the_cure():
    mean = bn.FiniteSum(
        lambda x, d: ((d @ x["W"] + x["b"]) ** 2).sum(),
        {"W": np.ones((2, 3)), "b": np.ones(3)},
        np.ones((8, 2)),
    )
    said = bn.TurboMuon.suggest(mean, mean.facts())
    assert isinstance(said, bn.Refusal) and "multi_transform" in said.cure
    assert said.missing == "matrices"
