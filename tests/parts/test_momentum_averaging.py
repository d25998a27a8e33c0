"""Momentum sequences, restarts and averages against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import tree
from banach.parts import averaging, momentum


def test_nesterov_theta_recurrence_and_growth():
    theta = jnp.ones(())
    for k in range(1, 50):
        after = momentum.nesterov_theta(theta)
        np.testing.assert_allclose(after**2 - after, theta**2, rtol=1e-13)
        assert after >= (k + 2) / 2
        np.testing.assert_allclose(
            momentum.weight(theta, after), (theta - 1) / after, rtol=1e-15
        )
        theta = after


def test_restart_signs():
    g = {"a": jnp.asarray([1.0, -1.0])}
    old = {"a": jnp.zeros(2)}
    assert momentum.gradient_restart(g, {"a": jnp.asarray([2.0, 1.0])}, old)
    assert not momentum.gradient_restart(g, {"a": jnp.asarray([1.0, 2.0])}, old)
    assert momentum.function_restart(jnp.asarray(2.0), jnp.asarray(1.0))
    assert momentum.function_restart(jnp.asarray(jnp.nan), jnp.asarray(1.0))
    assert not momentum.function_restart(jnp.asarray(1.0), jnp.asarray(1.0))


@pytest.mark.parametrize("restart", [False, True])
def test_gradient_restart_gives_linear_convergence(restart):
    """On a quadratic of condition 1e3 restarts find the rate without mu."""
    scales = jnp.logspace(-3, 0, 10)

    def step(state, _):
        x, z, theta = state
        g = scales * z
        new = z - g
        up = momentum.gradient_restart(g, new, x) & restart
        theta = jnp.where(up, 1.0, theta)
        after = momentum.nesterov_theta(theta)
        z = tree.axpy(momentum.weight(theta, after), new - x, new)
        return (new, z, after), None

    first = (jnp.ones(10), jnp.ones(10), jnp.ones(()))
    (x, _, _), _ = jax.lax.scan(step, first, length=1000)
    value = float(jnp.sum(scales * x**2))
    assert (value < 1e-16) if restart else (value > 1e-9)


TERMS = np.random.default_rng(0).standard_normal((9, 4))


def as_tree(v):
    return {"a": v[:2], "b": v[2:].reshape(1, 2)}


def feed(update, state, terms):
    for i, term in enumerate(terms):
        state = update(state, as_tree(term), i)
    return state


def check(mean, expected, rtol=1e-13):
    out = np.concatenate([np.ravel(mean["a"]), np.ravel(mean["b"])])
    np.testing.assert_allclose(out, expected, rtol=rtol, atol=1e-14)


def test_uniform_and_polynomial():
    x = jnp.asarray(TERMS)
    start = averaging.Average(as_tree(x[0]), jnp.asarray(0))
    out = feed(lambda s, v, i: averaging.uniform(s, v), start, x)
    check(out.mean, TERMS.mean(0))
    assert int(out.count) == 9
    # decay 1: term i has weight proportional to i, exactly.
    out = feed(lambda s, v, i: averaging.polynomial(s, v, 1.0), start, x)
    check(out.mean, np.average(TERMS, axis=0, weights=np.arange(1, 10)))
    # decay 3: weights i (i + 1) (i + 2).
    i = np.arange(1, 10)
    out = feed(lambda s, v, i: averaging.polynomial(s, v, 3.0), start, x)
    check(out.mean, np.average(TERMS, axis=0, weights=i * (i + 1) * (i + 2)))


def test_tail_needs_no_horizon():
    """Between half and three quarters of the terms, the last ones, all alike."""
    terms = np.random.default_rng(1).standard_normal((70, 4))
    start = averaging.Average(as_tree(jnp.asarray(terms[0])), jnp.asarray(0))
    before, last = start, start
    kept = []
    for t, v in enumerate(terms[1:], 1):
        mean, last, before = averaging.tail(before, last, as_tree(jnp.asarray(v)))
        found = np.concatenate([np.ravel(mean["a"]), np.ravel(mean["b"])])
        means = np.cumsum(terms[t:0:-1], axis=0) / np.arange(1, t + 1)[:, None]
        (k,) = np.flatnonzero(np.abs(means - found).max(axis=1) < 1e-12) + 1
        assert t / 2 <= k <= max(3, 3 * t / 4 + 1)
        kept.append(k)
    assert kept[:8] == [1, 2, 3, 3, 4, 5, 6, 5]


def test_float32_stays_and_vmap_equals_loop():
    x = jnp.asarray(TERMS, jnp.float32)

    def both(terms):
        start = averaging.Average(terms[0], jnp.zeros((), jnp.int32))
        last = before = start
        for v in terms:
            start = averaging.polynomial(start, v, 2.0)
            mean, last, before = averaging.tail(before, last, v)
        return start.mean, mean

    batch = jax.vmap(both)(jnp.stack([x, 2 * x]))
    one = both(2 * x)
    for b, o in zip(batch, one, strict=True):
        assert o.dtype == jnp.float32
        np.testing.assert_allclose(b[1], o, rtol=1e-5, atol=1e-6)
