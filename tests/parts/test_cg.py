"""Conjugate gradients against direct solves and the textbook iteration."""

import jax
import jax.numpy as jnp
import numpy as np

from banach.core import tree
from banach.parts.cg import cg

N = 8
RNG = np.random.default_rng(0)
ROOT = RNG.standard_normal((N, N))
A = ROOT @ ROOT.T + np.eye(N)
B = RNG.standard_normal(N)


def reference(a, b, steps):
    x, r, d = np.zeros_like(b), b.copy(), b.copy()
    for _ in range(steps):
        ad = a @ d
        length = r @ r / (d @ ad)
        new = r - length * ad
        x, d, r = x + length * d, new + (new @ new) / (r @ r) * d, new
    return x


def test_equals_the_textbook_and_the_direct_solve():
    a, b = jnp.asarray(A), jnp.asarray(B)
    go = jax.jit(lambda k: cg(lambda v: a @ v, b, tol=1e-13, max_steps=k))
    for k in [0, 1, 3, 5]:
        out = go(k)
        np.testing.assert_allclose(out.x, reference(A, B, k), rtol=1e-8, atol=1e-10)
        assert int(out.steps) == k
        assert int(out.calls) == k + 1
        np.testing.assert_allclose(
            out.residual, np.linalg.norm(B - A @ np.asarray(out.x)), rtol=1e-9
        )
    out = go(40)
    np.testing.assert_allclose(out.x, np.linalg.solve(A, B), rtol=1e-9)
    assert float(out.residual) <= 1e-12 * np.linalg.norm(B)
    assert not out.negative_curvature


def test_warm_start_pytree_and_counts():
    calls = []

    def matvec(v):
        jax.debug.callback(lambda: calls.append(1))
        flat, back = tree.ravel(v)
        return back(jnp.asarray(A) @ flat)

    b = {"p": jnp.asarray(B[:3]), "q": jnp.asarray(B[3:])}
    solution = np.linalg.solve(A, B)
    near = {
        "p": jnp.asarray(solution[:3]) + 1e-3,
        "q": jnp.asarray(solution[3:]),
    }
    out = jax.jit(lambda: cg(matvec, b, near, tol=1e-12, max_steps=50))()
    jax.effects_barrier()
    assert int(out.calls) == len(calls) == int(out.steps) + 2
    np.testing.assert_allclose(out.x["q"], solution[3:], rtol=1e-9)
    exact = cg(lambda v: v, b, b, tol=1e-12, max_steps=50)
    assert int(exact.steps) == 0
    assert float(exact.residual) == 0


def test_negative_curvature_is_flagged_and_certified():
    a = jnp.diag(jnp.asarray([3.0, 1.0, -0.5, 2.0]))
    b = jnp.asarray([1.0, 1.0, 1.0, 1.0])
    out = cg(lambda v: a @ v, b, tol=1e-10, max_steps=20)
    assert bool(out.negative_curvature)
    assert float(out.direction @ a @ out.direction) <= 0
    assert np.isfinite(np.asarray(out.x)).all()
    np.testing.assert_allclose(out.residual, jnp.linalg.norm(b - a @ out.x))
    zero = cg(lambda v: a @ v, jnp.zeros(4), tol=1e-10, max_steps=20)
    assert int(zero.steps) == 0
    assert not zero.negative_curvature


def test_preconditioner_solves_a_badly_scaled_system():
    scales = np.logspace(0, 5, N)
    a = jnp.asarray(A * scales[:, None] * scales)
    b = jnp.asarray(B * scales)
    inverse = 1 / jnp.diagonal(a)

    def go(precondition):
        return cg(
            lambda v: a @ v, b, tol=1e-10, max_steps=60, precondition=precondition
        )

    plain, helped = go(None), go(lambda r: inverse * r)
    assert int(helped.steps) < int(plain.steps)
    assert float(helped.residual) <= 2e-10 * np.linalg.norm(b)
    expected = np.linalg.solve(A, B) / scales
    np.testing.assert_allclose(helped.x, expected, rtol=1e-4)


def test_vmap_equals_loop_and_float32():
    a = jnp.asarray(A, jnp.float32)
    b = jnp.asarray(np.stack([B, np.zeros(N), B[::-1]]), jnp.float32)
    go = jax.jit(lambda r: cg(lambda v: a @ v, r, tol=0.3, max_steps=30))
    batch = jax.vmap(go)(b)
    for i in range(3):
        one = go(b[i])
        assert one.x.dtype == jnp.float32
        assert int(one.steps) == int(batch.steps[i])
        assert int(one.steps) <= 6
        np.testing.assert_allclose(one.x, batch.x[i], rtol=1e-3, atol=1e-4)
        residual = np.linalg.norm(np.asarray(b[i], np.float64) - A @ one.x)
        assert residual <= 0.3001 * np.linalg.norm(b[i])
