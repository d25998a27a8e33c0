"""Trust-region steps against their optimality conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree
from banach.parts.trust_region import (
    exact,
    ratio,
    spectrum,
    steihaug,
    update_radius,
)

N = 5
CASES = {
    "convex": ([0.1, 1.0, 2.0, 5.0, 9.0], [1.0, -2.0, 0.5, 1.0, 0.3]),
    "indefinite": ([-3.0, -1.0, 0.0, 2.0, 5.0], [1.0, 1.0, -1.0, 2.0, 0.5]),
    "hard": ([-2.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, -1.0, 0.5, 0.2]),
    "double_hard": ([-2.0, -2.0, 1.0, 2.0, 3.0], [0.0, 0.0, 1.0, -1.0, 1.0]),
    "nearly_hard": ([-2.0, 1.0, 2.0, 3.0, 4.0], [1e-13, 1.0, -1.0, 0.5, 0.2]),
    "singular": ([0.0, 1.0, 2.0, 3.0, 4.0], [0.5, 1.0, 1.0, 1.0, 1.0]),
    "zero_gradient": ([-1.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0, 0.0]),
    "concave": ([-5.0, -4.0, -3.0, -2.0, -1.0], [1.0, 1.0, 1.0, 1.0, 1.0]),
}
RADII = np.array([1e-3, 0.3, 2.0, 50.0])


def matrix(values):
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((N, N)))
    return (q * np.asarray(values)) @ q.T, q


solve = jax.jit(
    jax.vmap(lambda h, g, r: exact(spectrum(h), g, r), (None, None, 0)),
)


@pytest.mark.parametrize("case", CASES)
def test_exact_satisfies_the_optimality_conditions(case):
    values, slopes = CASES[case]
    h, q = matrix(values)
    g = q @ np.asarray(slopes)
    out = solve(h, g, RADII)
    for i, radius in enumerate(RADII):
        p, lam = np.asarray(out.step[i]), float(out.multiplier[i])
        size = np.linalg.norm(p)
        shift = h + lam * np.eye(N)
        scale = np.linalg.norm(shift, 2) * size + np.linalg.norm(g)
        assert np.linalg.norm(shift @ p + g) <= 1e-10 * max(scale, 1e-300)
        assert np.linalg.eigvalsh(shift)[0] >= -1e-12
        assert size <= radius * (1 + 1e-10)
        assert lam == 0 or abs(size - radius) <= 1e-10 * radius
        assert bool(out.on_boundary[i]) == (lam > 0)
        model = g @ p + p @ h @ p / 2
        np.testing.assert_allclose(out.predicted[i], -model, rtol=1e-9, atol=1e-13)


def test_hard_case_reaches_the_boundary_along_the_eigenvector():
    w = np.diag(CASES["hard"][0])
    g = np.asarray(CASES["hard"][1])
    out = exact(spectrum(jnp.asarray(w)), jnp.asarray(g), 2.0)
    rest = -g[1:] / (np.asarray(CASES["hard"][0])[1:] + 2)
    np.testing.assert_allclose(out.step[1:], rest, rtol=1e-14)
    np.testing.assert_allclose(abs(out.step[0]), np.sqrt(4 - rest @ rest), rtol=1e-14)
    assert float(out.multiplier) == 2


def test_singular_convex_model_gives_the_least_norm_step():
    h, q = matrix([0.0, 0.0, 1.0, 2.0, 3.0])
    g = q @ np.array([0.0, 0.0, 1.0, -1.0, 0.5])
    out = exact(spectrum(jnp.asarray(h)), jnp.asarray(g), 1e3)
    np.testing.assert_allclose(out.step, -np.linalg.pinv(h) @ g, atol=1e-13)
    assert not out.on_boundary


def test_float32():
    values, slopes = CASES["indefinite"]
    h, q = matrix(values)
    g = (q @ np.asarray(slopes)).astype(np.float32)
    out = exact(spectrum(jnp.asarray(h, jnp.float32)), jnp.asarray(g), 0.7)
    assert out.step.dtype == jnp.float32
    p = np.asarray(out.step, np.float64)
    residual = h @ p + float(out.multiplier) * p + g
    assert np.linalg.norm(residual) <= 2e-6 * np.linalg.norm(g)
    np.testing.assert_allclose(np.linalg.norm(p), 0.7, rtol=1e-6)


def run_steihaug(h, g, radius, tol=1e-12):
    return steihaug(
        lambda v: tree.scale(1.0, jnp.matmul(h, v)), g, radius, tol=tol, max_steps=20
    )


cut = jax.jit(run_steihaug)


def reference_steihaug(h, g, radius, tol, steps):
    p, r, d = np.zeros_like(g), g.copy(), -g
    calls = 0
    while calls < steps and r @ r > (tol**2) * (g @ g):
        hd = h @ d
        calls += 1
        roots = np.roots([d @ d, 2 * p @ d, p @ p - radius**2])
        a = r @ r / (d @ hd)
        if d @ hd <= 0 or np.linalg.norm(p + a * d) >= radius:
            return p + roots.real.max() * d, calls
        new = r + a * hd
        p, d, r = p + a * d, -new + (new @ new) / (r @ r) * d, new
    return p, calls


@pytest.mark.parametrize("case", ["convex", "indefinite", "concave"])
@pytest.mark.parametrize("radius", [0.1, 1.0, 100.0])
def test_steihaug_equals_the_textbook(case, radius):
    h, q = matrix(CASES[case][0])
    g = q @ np.asarray(CASES[case][1])
    out = cut(h, g, radius)
    p, calls = reference_steihaug(h, g, radius, 1e-12, 20)
    assert int(out.calls) == calls
    np.testing.assert_allclose(out.step, p, rtol=1e-8, atol=1e-8 * radius)
    model = g @ out.step + out.step @ h @ out.step / 2
    np.testing.assert_allclose(out.predicted, -model, rtol=1e-8)
    assert bool(out.on_boundary) == (case != "convex" or radius < 2)
    assert bool(out.negative_curvature) <= bool(out.on_boundary)
    best = exact(spectrum(jnp.asarray(h)), jnp.asarray(g), radius)
    assert out.predicted <= best.predicted * (1 + 1e-9)


def test_steihaug_on_a_pytree_counts_calls_and_stops_at_once_without_gradient():
    g = {"a": jnp.zeros(2), "b": jnp.zeros((2, 2))}
    out = steihaug(lambda v: v, g, 1.0, tol=0.1, max_steps=9)
    assert int(out.calls) == 0
    assert float(tree.norm(out.step)) == 0
    g = {"a": jnp.ones(2), "b": jnp.ones((2, 2))}
    out = steihaug(lambda v: tree.scale(2.0, v), g, 9.0, tol=1e-9, max_steps=9)
    assert int(out.calls) == 1
    np.testing.assert_allclose(out.step["b"], -0.5 * np.ones((2, 2)))
    np.testing.assert_allclose(out.predicted, 6 / 4)


def test_ratio_above_and_below_the_noise_floor():
    g = jnp.asarray([2.0, 0.0])
    step = jnp.asarray([-1.0, 0.0])
    f = jnp.asarray(3.0)
    value = ratio(f, jnp.asarray(2.1), g, jnp.zeros(2), step, jnp.asarray(1.0))
    np.testing.assert_allclose(value, 0.9)
    # f = 3 + |x|^2 at x = 1e-9: the decrease 1e-18 is lost, the gradients know.
    tiny = 1e-9
    value = ratio(f, f, g * tiny, g * 0, step * tiny, jnp.asarray(1e-18))
    np.testing.assert_allclose(value, 1.0)
    value = ratio(f, f, g * tiny, -3 * g * tiny, step * tiny, jnp.asarray(1e-18))
    np.testing.assert_allclose(value, -2.0)
    # A rise far above the floor is never explained away by the gradients.
    value = ratio(f, f + 1, g * tiny, g * 0, step * tiny, jnp.asarray(1e-18))
    assert value < -1e17
    for bad in [jnp.nan, jnp.inf, -jnp.inf]:
        value = ratio(f, jnp.asarray(bad), g, g, step, jnp.asarray(1.0))
        assert value == -jnp.inf


def test_radius_rule():
    def go(r, size, edge):
        out = update_radius(jnp.asarray(2.0), jnp.asarray(r), jnp.asarray(size), edge)
        return float(out)

    assert go(0.9, 2.0, True) == 4.0
    assert go(0.9, 1.0, False) == 2.0
    assert go(0.5, 2.0, True) == 2.0
    assert go(0.1, 1.0, False) == 0.5
    assert go(-jnp.inf, 3.0, True) == 1.0


def test_trust_region_newton_passes_the_noise_floor():
    rng = np.random.default_rng(0)
    a = jnp.asarray(rng.standard_normal((60, N)) * np.logspace(0, -3, N))

    def fun(x):
        return jnp.mean(jnp.logaddexp(0, a @ x)) + 1e-8 * jnp.vdot(x, x) / 2 + 50

    @jax.jit
    def step(x, radius):
        f, g = jax.value_and_grad(fun)(x)
        s = exact(spectrum(jax.hessian(fun)(x)), g, radius)
        f_trial, g_trial = jax.value_and_grad(fun)(x + s.step)
        r = ratio(f, f_trial, g, g_trial, s.step, s.predicted)
        radius = update_radius(radius, r, tree.norm(s.step), s.on_boundary)
        return jnp.where(r > 1e-4, x + s.step, x), radius, tree.norm(g)

    x, radius = jnp.zeros(N), 1.0
    sizes = []
    for _ in range(60):
        x, radius, size = step(x, radius)
        sizes.append(float(size))
    assert min(sizes) < 1e-14 * sizes[0]
