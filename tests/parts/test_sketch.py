"""Sketch-and-project: exact projections, pseudo-inverses, rates, counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core.problem import Misuse
from banach.methods.constrained._merit import convexified
from banach.methods.constrained._sketch import Sketch
from banach.parts import multiplier_estimates

RNG = np.random.default_rng(0)


def saddle(d=6, m=2):
    G = RNG.standard_normal((m, d - m))
    A = RNG.standard_normal((d - m, d - m))
    return np.block([[A @ A.T + np.eye(d - m), G.T], [G, np.zeros((m, m))]])


@pytest.mark.parametrize("sketch", [Sketch("rows", 3), Sketch("gaussian", 3)], ids=str)
def test_a_projection_solves_the_sketched_system_by_the_shortest_step(sketch):
    K, b = saddle(), RNG.standard_normal(6)
    one = Sketch(sketch.kind, 6)
    z = one.sweep(jnp.asarray(K), jnp.asarray(b), jnp.zeros(6), jax.random.key(0))
    np.testing.assert_allclose(z, np.linalg.solve(K, b), rtol=1e-7)
    key = jax.random.key(1)
    S = np.asarray(sketch.draw(jax.random.fold_in(key, 1), 6, np.float64))
    S = S if sketch.kind == "gaussian" else np.eye(6)[:, S]
    z = np.asarray(sketch.sweep(jnp.asarray(K), jnp.asarray(b), jnp.ones(6), key))
    # After the last projection of the sweep its own equations hold.
    np.testing.assert_allclose(S.T @ K @ z, S.T @ b, rtol=1e-9, atol=1e-9)


def test_solving_stops_at_the_target_or_the_limit():
    K, b = jnp.asarray(saddle()), jnp.asarray(RNG.standard_normal(6))
    for sketch in (Sketch("rows", 1), Sketch("gaussian", 2)):
        out = sketch.solve(K, b, 0 * b, jax.random.key(2), 1e-6, 10_000)
        assert float(out.residual) <= 1e-6
        np.testing.assert_allclose(np.linalg.norm(K @ out.z - b), out.residual)
        short = sketch.solve(K, b, 0 * b, jax.random.key(2), 0.0, 3)
        assert int(short.sweeps) == 3


def test_a_singular_consistent_system_is_solved_by_its_shortest_solution():
    K = np.array([[2.0, 1, 0], [1, 0, 0], [0, 0, 0]])
    b = np.array([1.0, 1, 0])
    for sketch in (Sketch("rows", 1), Sketch("gaussian", 2), Sketch("rows", 3)):
        out = sketch.solve(jnp.asarray(K), jnp.asarray(b), jnp.zeros(3),
                           jax.random.key(0), 1e-9, 5000)  # fmt: skip
        np.testing.assert_allclose(out.z, np.linalg.pinv(K) @ b, atol=1e-7)


def test_flops_and_bad_sketches():
    assert Sketch("rows", 1).flops(10) == 10 * 60 + 200
    assert Sketch("gaussian", 5).flops(10) > Sketch("rows", 5).flops(10)
    for kind, block in (("hadamard", 1), ("rows", 0), ("rows", 1.5)):
        with pytest.raises(Misuse, match="rows|block"):
            Sketch(kind, block)


def test_a_shift_of_its_norm_makes_the_reduced_hessian_positive():
    H = np.diag([1.0, -2.0, 3.0])
    J = np.array([[0.0, 1.0, 0.0]])
    np.testing.assert_allclose(convexified(jnp.asarray(H), jnp.asarray(J), 0.1), H)
    J = np.array([[1.0, 0.0, 0.0]])
    B = convexified(jnp.asarray(H), jnp.asarray(J), 0.1)
    np.testing.assert_allclose(B, H + (0.1 + np.sqrt(14)) * np.eye(3))


def test_multipliers_are_fitted_signed_and_differentiable():
    g, J = np.array([1.0, 2.0, 0.0]), np.array([[1.0, 0, 0], [0, 1, 0], [0, 2, 0]])
    free, zero = np.ones(3), np.zeros(3)
    np.testing.assert_allclose(multiplier_estimates.fitted(g, J, zero, free)[0], -1.0)
    # Row 1 inactive (c = -5): row 2 takes it all.
    lam = multiplier_estimates.fitted(g, J, np.array([0, 5.0, 0]), free)
    np.testing.assert_allclose(lam, [-1, 0, -1], atol=1e-12)
    # As an inequality a negative multiplier becomes 0.
    np.testing.assert_allclose(
        multiplier_estimates.signed(g, J, zero, free, 1), [-1, 0, 0], atol=1e-12
    )
    other = multiplier_estimates.signed(-g, J, zero, free, 1)
    np.testing.assert_allclose(float(other[1] + 2 * other[2]), 2.0)
    slope = jax.jacfwd(
        lambda g: multiplier_estimates.function(g, J[:2], zero[:2], free)
    )(jnp.asarray(g))
    np.testing.assert_allclose(slope, [[-1, 0, 0], [0, -1, 0]], atol=1e-12)
