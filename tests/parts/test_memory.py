"""The two-loop recursion against the dense BFGS update."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree
from banach.methods.smooth import _memory as mem

M, N = 3, 6
push = jax.jit(mem.push)
apply = jax.jit(mem.apply)


def as_tree(v):
    return {"a": v[..., :2], "b": v[..., 2:].reshape(*v.shape[:-1], 2, 2)}


def as_vector(t):
    return np.concatenate([np.ravel(t["a"]), np.ravel(t["b"])])


def pairs(count, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((N, N))
    s = rng.standard_normal((count, N))
    return s, s @ (root @ root.T + np.eye(N))


def dense(s, y):
    h = (s[-1] @ y[-1]) / (y[-1] @ y[-1]) * np.eye(N)
    for a, b in zip(s, y, strict=True):
        rho = 1 / (a @ b)
        v = np.eye(N) - rho * np.outer(b, a)
        h = v.T @ h @ v + rho * np.outer(a, a)
    return h


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_equals_dense_bfgs(count):
    s, y = pairs(count)
    state = mem.empty(as_tree(jnp.zeros(N)), M)
    for a, b in zip(s, y, strict=True):
        state = push(state, as_tree(jnp.asarray(a)), as_tree(jnp.asarray(b)))
    h = dense(s[-M:], y[-M:])
    for g in np.eye(N):
        out = as_vector(apply(state, as_tree(jnp.asarray(g))))
        np.testing.assert_allclose(out, h @ g, rtol=1e-10, atol=1e-10)
    # Secant equation of the newest pair.
    out = as_vector(apply(state, as_tree(jnp.asarray(y[-1]))))
    np.testing.assert_allclose(out, s[-1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("count", [0, 1, 3, 5, 8])
def test_tables_are_of_the_pairs_that_are_stored(count):
    s, y = pairs(count + 1)
    y[count // 2] *= -1 if count > 3 else 1  # one pair that must be skipped
    kept = [i for i in range(count) if s[i] @ y[i] > 0]
    state = mem.empty(as_tree(jnp.zeros(N)), M)
    for a, b in zip(s[:count], y[:count], strict=True):
        state = push(state, as_tree(jnp.asarray(a)), as_tree(jnp.asarray(b)))
    assert int(state.count) == len(kept) == count - (count > 3)
    last = kept[-M:]
    h = dense(s[last], y[last]) if last else np.eye(N)
    out = as_vector(apply(state, as_tree(jnp.asarray(s[-1]))))
    np.testing.assert_allclose(out, h @ s[-1], rtol=1e-10, atol=1e-11)
    stored = [
        np.array([as_vector(jax.tree.map(lambda v, i=i: v[i], t)) for i in range(M)])
        for t in (state.s, state.y)
    ]
    np.testing.assert_allclose(state.sy, stored[0] @ stored[1].T, atol=1e-14)
    np.testing.assert_allclose(state.yy, stored[1] @ stored[1].T, atol=1e-14)


def test_forgotten_pairs_leave_the_scaling():
    s, y = pairs(4)
    state = mem.empty(as_tree(jnp.zeros(N)), M)
    for a, b in zip(s[:3], y[:3], strict=True):
        state = push(state, as_tree(jnp.asarray(a)), as_tree(jnp.asarray(b)))
    g = as_tree(jnp.asarray(s[3]))
    blank = mem.forgotten(mem.rescaled(state, jnp.asarray(0.5)))
    np.testing.assert_array_equal(as_vector(apply(blank, g)), s[3] / 2)
    # What the dropped slots still hold does not leak into later pairs.
    again = push(blank, as_tree(jnp.asarray(s[3])), as_tree(jnp.asarray(y[3])))
    h = dense(s[3:], y[3:])
    out = as_vector(apply(again, as_tree(jnp.asarray(s[0]))))
    np.testing.assert_allclose(out, h @ s[0], rtol=1e-12, atol=1e-12)


def test_empty_is_the_identity():
    g = as_tree(jnp.arange(6.0))
    out = apply(mem.empty(g, M), g)
    np.testing.assert_array_equal(as_vector(out), np.arange(6.0))
    with pytest.raises(ValueError, match="memory is 0"):
        mem.empty(g, 0)


def test_guard_skips_bad_pairs():
    s, y = pairs(2)
    good = [as_tree(jnp.asarray(v)) for v in (s[0], y[0])]
    state = push(mem.empty(good[0], M), *good)
    bad = [
        (good[0], tree.neg(good[1])),
        (tree.zeros_like(good[0]), good[1]),
        (good[0], tree.zeros_like(good[1])),
        (good[0], tree.scale(jnp.nan, good[1])),
        (good[0], tree.scale(jnp.inf, good[1])),
    ]
    for pair in bad:
        after = push(state, *pair)
        for p, q in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
            np.testing.assert_array_equal(p, q)
    # A pair is refused at an angle whose cosine is roundoff, not at one of 1e-3.
    for cosine in (1e-3, 1e-17):
        thin = (jnp.asarray([1.0, 0.0]), jnp.asarray([cosine, 1.0]))
        after = push(mem.empty(thin[0], M), *thin)
        assert int(after.count) == (1 if cosine == 1e-3 else 0)


def test_vmap_equals_loop_and_float32():
    s, y = pairs(4)
    s, y = jnp.asarray(s, jnp.float32), jnp.asarray(y, jnp.float32)
    y = y.at[2].multiply(-1)
    blank = mem.empty(as_tree(jnp.zeros(N, jnp.float32)), M)
    states = jax.vmap(lambda a, b: push(blank, as_tree(a), as_tree(b)))(s, y)
    out = jax.vmap(apply)(states, as_tree(y))
    for i in range(4):
        one = push(blank, as_tree(s[i]), as_tree(y[i]))
        single = apply(one, as_tree(y[i]))
        assert single["a"].dtype == jnp.float32
        assert int(one.count) == (0 if i == 2 else 1)
        np.testing.assert_allclose(single["b"], out["b"][i], rtol=1e-4, atol=1e-5)


def test_exact_on_a_quadratic_in_n_steps():
    """With memory n and exact searches, L-BFGS ends on a quadratic in n steps."""
    rng = np.random.default_rng(2)
    root = rng.standard_normal((M, M))
    h = jnp.asarray(root @ root.T + np.eye(M))
    b = jnp.asarray(rng.standard_normal(M))
    x, state = jnp.zeros(M), mem.empty(jnp.zeros(M), M)
    for _ in range(M):
        g = h @ x - b
        d = -apply(state, g)
        s = -(g @ d) / (d @ h @ d) * d
        x = x + s
        state = push(state, s, h @ s)
    np.testing.assert_allclose(h @ x, b, atol=1e-11)
