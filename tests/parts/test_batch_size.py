"""AdAdaGrad as an optax transformation: the size it asks for, and optax's AdaGrad."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import banach as bn
from banach.parts import batches
from banach.parts.batch_size import adadagrad_transform


def test_it_is_optax_adagrad_where_the_batch_is_fixed():
    ours = adadagrad_transform(0.1, batch=4, most=4, initial=0.1)
    theirs = optax.adagrad(0.1, initial_accumulator_value=0.1, eps=0.0)
    x = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
    mine, peer = ours.init(x), theirs.init(x)
    for i in range(5):
        g = jax.tree.map(lambda v: jnp.cos(v + i), x)  # noqa: B023
        seen = batches.moments(jax.tree.map(lambda v: v[None], g), np.array([True]))
        u, mine = ours.update(g, mine, x, moments=seen)
        w, peer = theirs.update(g, peer, x)
        for p, q in zip(jax.tree.leaves(u), jax.tree.leaves(w), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-12)


def test_the_size_asked_for_is_the_formula():
    rows = {"a": np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]])}
    seen = batches.moments(rows, np.ones(3, bool))
    for test in ("norm", "coordinate"):
        t = adadagrad_transform(1.0, batch=2, most=50, eta=0.1, test=test)
        state = t.update(seen.mean, t.init(seen.mean), moments=seen)[1]
        # variance 1, mean 2: 1 / (0.01 * 4); the silent coordinate asks for nothing.
        assert int(state.batch) == 25
    t = adadagrad_transform(1.0, batch=2, most=20, eta=0.1)
    assert int(t.update(seen.mean, t.init(seen.mean), moments=seen)[1].batch) == 20


def test_it_chains_in_optax():
    t = optax.chain(optax.scale(2.0), adadagrad_transform(0.1, batch=2, most=8))
    x = {"a": jnp.ones(2)}
    seen = batches.moments({"a": jnp.ones((3, 2))}, np.ones(3, bool))
    u, _ = t.update(seen.mean, t.init(x), x, moments=seen)
    want = -0.1 * 2 / np.sqrt(0.01 + 4)
    np.testing.assert_allclose(u["a"], want, rtol=1e-12)


def test_a_nan_keeps_the_size():
    t = adadagrad_transform(0.1, batch=4, most=40)
    seen = batches.moments(np.full((4, 3), np.nan), np.ones(4, bool))
    state = t.update(seen.mean, t.init(seen.mean), moments=seen)[1]
    assert int(state.batch) == 4


def test_one_term_alone_has_no_variance():
    with pytest.raises(bn.Misuse, match="one term alone has no variance"):
        adadagrad_transform(0.1, batch=1, most=40)
