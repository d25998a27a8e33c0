"""Cubic-regularised steps against their optimality conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.parts.cubic import cubic_step
from banach.parts.trust_region import spectrum

N = 5
CASES = {
    "convex": ([0.1, 1.0, 2.0, 5.0, 9.0], [1.0, -2.0, 0.5, 1.0, 0.3]),
    "indefinite": ([-3.0, -1.0, 0.0, 2.0, 5.0], [1.0, 1.0, -1.0, 2.0, 0.5]),
    "hard": ([-2.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, -1.0, 0.5, 0.2]),
    "double_hard": ([-2.0, -2.0, 1.0, 2.0, 3.0], [0.0, 0.0, 1.0, -1.0, 1.0]),
    "nearly_hard": ([-2.0, 1.0, 2.0, 3.0, 4.0], [1e-13, 1.0, -1.0, 0.5, 0.2]),
    "singular": ([0.0, 1.0, 2.0, 3.0, 4.0], [0.5, 1.0, 1.0, 1.0, 1.0]),
    "saddle": ([-1.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0, 0.0]),
    "linear": ([0.0, 0.0, 0.0, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0, 0.0]),
    "tiny_gradient": ([0.1, 1.0, 2.0, 5.0, 9.0], [1e-14, -2e-14, 0.0, 1e-14, 0.0]),
}
WEIGHTS = np.array([1e-3, 0.3, 2.0, 1e3])
solve = jax.jit(jax.vmap(cubic_step, (None, None, 0)))


def matrix(values):
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((N, N)))
    return (q * np.asarray(values)) @ q.T, q


@pytest.mark.parametrize("case", CASES)
def test_optimality_conditions(case):
    values, slopes = CASES[case]
    h, q = matrix(values)
    g = q @ np.asarray(slopes)
    out = solve(spectrum(jnp.asarray(h)), g, WEIGHTS)
    for i, weight in enumerate(WEIGHTS):
        p, lam = np.asarray(out.step[i]), float(out.multiplier[i])
        size = np.linalg.norm(p)
        shift = h + lam * np.eye(N)
        scale = np.linalg.norm(shift, 2) * size + np.linalg.norm(g)
        assert np.linalg.norm(shift @ p + g) <= 1e-10 * max(scale, 1e-300)
        assert np.linalg.eigvalsh(shift)[0] >= -1e-12
        np.testing.assert_allclose(lam, weight * size / 2, rtol=1e-10, atol=1e-25)
        model = g @ p + p @ h @ p / 2 + weight * size**3 / 6
        np.testing.assert_allclose(out.predicted[i], -model, rtol=1e-8, atol=1e-27)


def test_closed_forms():
    # H = 0: the step is -g sqrt(2 / (M ||g||)).
    flat = spectrum(jnp.zeros((2, 2)))
    out = cubic_step(flat, jnp.asarray([3.0, 4.0]), 2.0)
    np.testing.assert_allclose(out.step, -np.array([3, 4]) / np.sqrt(5), rtol=1e-14)
    # One variable: h g < 0 and M h^2 / 2 + H |h| = |g|.
    out = cubic_step(spectrum(jnp.asarray([[-1.0]])), jnp.asarray([2.0]), 2.0)
    np.testing.assert_allclose(out.step, [-2.0], rtol=1e-14)
    # Saddle: length -2 w / M along the eigenvector.
    saddle = spectrum(jnp.diag(jnp.asarray([-3.0, 1.0])))
    out = cubic_step(saddle, jnp.zeros(2), 2.0)
    np.testing.assert_allclose(np.abs(out.step), [3.0, 0.0], rtol=1e-14)
    np.testing.assert_allclose(out.predicted, 27 / 2 - 9, rtol=1e-14)
    zero = cubic_step(flat, jnp.zeros(2), 2.0)
    assert np.asarray(zero.step).tolist() == [0, 0]


def test_no_random_point_is_lower():
    values, slopes = CASES["indefinite"]
    h, q = matrix(values)
    g = q @ np.asarray(slopes)
    out = cubic_step(spectrum(jnp.asarray(h)), jnp.asarray(g), 0.7)
    x = np.random.default_rng(1).standard_normal((4000, N)) * 6
    x = np.concatenate([x, np.asarray(out.step) + 0.01 * x])
    model = x @ g + np.einsum("ki,ij,kj->k", x, h, x) / 2
    model = model + 0.7 / 6 * np.linalg.norm(x, axis=1) ** 3
    assert model.min() >= -float(out.predicted)


def test_float32_and_loop_equals_vmap():
    values, slopes = CASES["indefinite"]
    h, q = matrix(values)
    g = jnp.asarray(q @ np.asarray(slopes), jnp.float32)
    s = spectrum(jnp.asarray(h, jnp.float32))
    batch = solve(s, g, jnp.asarray(WEIGHTS, jnp.float32))
    for i, weight in enumerate(WEIGHTS):
        one = cubic_step(s, g, jnp.asarray(weight, jnp.float32))
        assert one.step.dtype == jnp.float32
        np.testing.assert_allclose(one.step, batch.step[i], rtol=1e-4, atol=1e-5)
        size = np.linalg.norm(np.asarray(one.step, np.float64))
        np.testing.assert_allclose(one.multiplier, weight * size / 2, rtol=3e-6)
