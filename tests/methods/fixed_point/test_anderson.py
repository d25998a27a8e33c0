"""Anderson: its reference, finite termination, and speed over Picard."""

import jax.numpy as jnp
import numpy as np
from fixed_point_drive import iterates
from reference import anderson as reference

import banach as bn
from banach.methods.fixed_point.anderson import Anderson

rng = np.random.default_rng(1)
W = rng.standard_normal((12, 12))
W *= 0.95 / np.linalg.svd(W, compute_uv=False)[0]
B = rng.standard_normal(12)


def test_iterates_equal_the_reference():
    def T(x, W, b):
        return jnp.sin(W @ x + b)

    p = bn.FixedPoint(T, np.ones(12), (W, B))
    ours, _ = iterates(p, Anderson(3), 12)
    theirs = reference.iterates(
        lambda x: np.sin(W @ x + B), np.ones(12), 12, memory=3, cutoff=1e-10
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_linear_map_of_three_dimensions_ends_in_four_steps():
    M, b = 0.9 * np.diag([1.0, -0.5, 0.3]), np.array([1.0, 2.0, 3.0])
    p = bn.FixedPoint(lambda x, M, b: M @ x + b, np.zeros(3), (M, b))
    xs, _ = iterates(p, Anderson(5), 6)
    truth = np.linalg.solve(np.eye(3) - M, b)
    # Walker and Ni, theorem 2.2: like GMRES, one step later.
    assert np.linalg.norm(xs[3] - truth) < 1e-10
    assert np.linalg.norm(xs[2] - truth) > 1e-4
    assert np.linalg.norm(xs[5] - truth) < 1e-10


def test_it_needs_a_fraction_of_picards_maps():
    S = W @ W.T * 1.05
    p = bn.FixedPoint(lambda x, S, b: S @ x + b, np.zeros(12), (S, B), contraction=0.96)
    fast, slow = (bn.solve(p, name, tol=1e-9) for name in ("anderson", "picard"))
    assert fast.certified and slow.certified
    assert fast.calls["map"] < 0.4 * slow.calls["map"]
