"""Every compressor contracts as proved, and its messages weigh what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.methods.distributed._compressors import (
    Identity,
    LowRank,
    Quantised,
    RandK,
    TopK,
    of_share,
)

N = 30
ALL = [Identity(), TopK(3), RandK(3), LowRank(2), LowRank(1, 10), Quantised(4)]
DRAWS = 400
rng = np.random.default_rng(3)
VECTORS = {
    "gaussian": rng.standard_normal(N),
    "flat": np.ones(N),
    "steep": 10.0 ** -np.arange(N),
    "one": np.eye(N)[4],
    "full rank": np.eye(6, 5).ravel(),
}


def errors(c, v):
    keys = jax.random.split(jax.random.key(0), DRAWS)
    back = jax.jit(jax.vmap(lambda k: c(jnp.asarray(v), k)))(keys)
    return np.sum((np.asarray(back) - v) ** 2, axis=1) / np.sum(v**2)


@pytest.mark.parametrize("c", ALL, ids=repr)
def test_it_contracts_on_average_as_proved(c):
    delta = c.delta(N)
    assert 0 < delta <= 1
    for v in VECTORS.values():
        e = errors(c, v)
        assert e.mean() <= 1 - delta + 4 * e.std() / np.sqrt(DRAWS) + 1e-12


def test_the_proved_constants_are_attained():
    assert errors(TopK(3), VECTORS["flat"]).mean() == pytest.approx(1 - 3 / N)
    e = errors(RandK(3), VECTORS["gaussian"])
    assert e.mean() == pytest.approx(1 - 3 / N, abs=4 * e.std() / np.sqrt(DRAWS))
    e = errors(LowRank(2, 5), VECTORS["full rank"])
    assert e == pytest.approx(1 - 2 / 5)


def test_top_k_keeps_the_largest_exactly():
    v = VECTORS["gaussian"]
    got = np.asarray(TopK(3)(jnp.asarray(v), jax.random.key(0)))
    kept = np.argsort(-np.abs(v))[:3]
    assert np.array_equal(np.flatnonzero(got), np.sort(kept))
    assert np.array_equal(got[kept], v[kept])


def test_a_quantised_message_is_unbiased_before_its_scaling():
    v, c = VECTORS["gaussian"], Quantised(2)
    keys = jax.random.split(jax.random.key(1), 4000)
    back = np.asarray(jax.vmap(lambda k: c(jnp.asarray(v), k))(keys)) / c.delta(N)
    spread = back.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(back.mean(axis=0) - v) <= 5 * spread + 1e-12)
    norm = np.linalg.norm(v)
    assert np.allclose(np.abs(back) / norm * 2, np.round(np.abs(back) / norm * 2))


@pytest.mark.parametrize("c", [RandK(3), Quantised(4), Identity()], ids=repr)
def test_unbiased_messages_vary_as_proved(c):
    v = jnp.asarray(VECTORS["gaussian"])
    keys = jax.random.split(jax.random.key(2), 4000)
    back = np.asarray(jax.jit(jax.vmap(lambda k: c.unbiased(v, k)))(keys))
    spread = back.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(back.mean(axis=0) - v) <= 5 * spread + 1e-12)
    e = np.sum((back - v) ** 2, axis=1) / np.sum(v**2)
    assert e.mean() <= c.omega(N) + 4 * e.std() / np.sqrt(4000) + 1e-12
    if isinstance(c, RandK):
        assert c.omega(N) == pytest.approx(9) and e.mean() == pytest.approx(9, rel=0.1)


@pytest.mark.parametrize("c", ALL, ids=repr)
def test_zero_stays_zero_and_dtypes_stay(c):
    got = c(jnp.zeros(N, jnp.float32), jax.random.key(0))
    assert got.dtype == np.float32 and not np.any(got)


def test_messages_weigh_what_they_carry():
    assert Identity().sent(N, 64) == 30 * 64
    assert TopK(3).sent(N, 64) == 3 * (64 + 5)  # 30 indices need 5 bits
    assert RandK(3).sent(N, 32) == 3 * 32
    assert LowRank(1, 10).sent(N, 64) == (3 + 10) * 64
    assert Quantised(4).sent(N, 64) == 64 + 30 * (1 + 3)
    assert TopK(40).sent(N, 64) == 30 * 64 and TopK(40).delta(N) == 1


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
@pytest.mark.parametrize("make", [TopK, RandK, LowRank, Quantised])
def test_a_parameter_out_of_range_is_refused(make, bad):
    with pytest.raises(bn.Misuse, match="must be an integer >= 1"):
        make(bad)


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(bn.Misuse, match="at most 1|must be real and finite"):
        of_share(share, N)
    assert of_share(0.001, N).k == 1 and of_share(1, N).k == N
