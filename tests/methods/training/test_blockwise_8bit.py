"""States in 8 bits: the map, the errors, what they weigh, any transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import banach as bn
from banach.parts.quantised_state import SIGNED, UNSIGNED, dequantise, quantise

rng = np.random.default_rng(8)


def test_the_map_has_256_codes_and_errors_are_within_a_code():
    for values, least in ((SIGNED, -1.0), (UNSIGNED, 0.0)):
        assert (
            len(np.unique(values)) == 256
            and values[-1] == 1
            and values[0] <= least + 0.01
        )
    x = rng.normal(size=(7, 100)).astype("float32") * 10.0 ** rng.integers(
        -4, 3, (7, 1)
    )
    for values, codes in ((x, SIGNED), (x**2, UNSIGNED)):
        q = jax.jit(quantise, static_argnums=1)(jnp.asarray(values), 64)
        assert q.codes.dtype == jnp.uint8 and q.codes.shape == x.shape
        assert q.scales.shape == (11,)
        top = np.repeat(np.abs(np.asarray(q.scales)), 64)[: x.size].reshape(x.shape)
        got = np.asarray(jax.jit(dequantise)(q))
        want = (
            top * codes[np.abs(values[..., None] / top[..., None] - codes).argmin(-1)]
        )
        np.testing.assert_allclose(got, want, rtol=1e-6)
    assert np.isnan(dequantise(quantise(jnp.array([1.0, jnp.nan]), 2))).any()
    np.testing.assert_array_equal(dequantise(quantise(jnp.zeros(5), 2)), np.zeros(5))


def test_any_transformation_and_its_weight():
    w = rng.normal(size=(40, 30)).astype("float32")
    params = {"w": jnp.asarray(w), "b": jnp.ones(3, "float32")}
    grads = jax.tree.map(lambda v: v + 0.5 * jnp.sign(v), params)
    whole = optax.adam(0.01)
    tx = bn.train.blockwise_8bit(whole, block=256, least=100)
    state, exact = tx.init(params), whole.init(params)
    for _ in range(3):
        u, state = jax.jit(tx.update)(grads, state, params)
        want, exact = whole.update(grads, exact, params)
    np.testing.assert_allclose(u["w"], want["w"], rtol=0.1)
    np.testing.assert_array_equal(u["b"], want["b"])
    m = bn.train.memory(tx, params)
    assert m.state == 2 * (1200 + 5 * 4 + 3 * 4) + 4 and m.kinds["uint8"] == 2400
    assert (m.params, m.entries) == (4812, 1203)
    assert "uint8 2,400" in str(m)
    ours = bn.train.blockwise_8bit_state(0.01, block=256, least=100)
    assert bn.train.memory(ours, params).state == m.state
    rule, s = ours.init(params), None
    for _ in range(3):
        s, rule = ours.update(grads, rule, params)
    np.testing.assert_allclose(s["w"], u["w"], rtol=1e-4, atol=1e-6)


def test_refusals():
    with pytest.raises(bn.Misuse, match="block"):
        bn.train.blockwise_8bit(optax.sgd(0.1), block=0)
    with pytest.raises(bn.Misuse, match="optax"):
        bn.train.memory(3, jnp.ones(2))
    assert {"memory", "blockwise_8bit"} <= set(dir(bn.train))
