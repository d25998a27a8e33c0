"""Random numbers, bit for bit those of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agree import both, same, traced
from jax import lax
from jax.extend.random import threefry_2x32

from banach.core import compat
from banach.engine import interpret

RAW = np.array([0x12345678, 0x9ABCDEF0], np.uint32)


def of(fun):
    """A function of a key as one of the numbers that hold it."""
    return lambda raw, *rest: jax.tree.map(
        lambda v: jax.random.key_data(v) if jnp.issubdtype(v.dtype, jax.dtypes.prng_key)
        else v,
        fun(jax.random.wrap_key_data(raw), *rest),
    )  # fmt: skip


def draws():
    r = jax.random
    cases = {
        "split": lambda k: r.split(k),
        "split of many": lambda k: r.split(k, 9),
        "split in a shape": lambda k: r.split(k, (2, 3)),
        "split of keys": lambda k: jax.vmap(lambda q: r.split(q, 3))(r.split(k, 4)),
        "folded": lambda k: r.fold_in(k, 7),
        "folded far": lambda k: r.fold_in(k, np.int64(2**33 + 5)),
        "folded below": lambda k: r.fold_in(k, np.int32(-3)),
        "folded keys": lambda k: jax.vmap(r.fold_in)(r.split(k, 3), jnp.arange(3)),
        "seed": lambda k: r.key(12345),
        "long seed": lambda k: r.key(np.int64(2**40 + 3)),
        "seed below": lambda k: r.key(np.int64(-2)),
        "seed of a value": lambda k: r.key(r.bits(k, (), np.uint32).astype(int)),
        "threefry": lambda k: threefry_2x32(r.key_data(k), jnp.arange(9, dtype="u4")),
        "keys in a loop": lambda k: lax.scan(
            lambda c, q: (r.split(c)[0], r.bits(q)), k, r.split(k, 5)
        ),
        "a key chosen": lambda k: lax.cond(
            r.bernoulli(k), lambda q: r.fold_in(q, 1), lambda q: r.fold_in(q, 2), k
        ),
    }
    for width in (8, 16, 32, 64):
        dtype = np.dtype(f"uint{width}")
        cases[f"{width} bits"] = lambda k, d=dtype: (
            r.bits(k, (), d), r.bits(k, (3,), d), r.bits(k, (20, 3), d),
            r.bits(k, (0,), d),
        )  # fmt: skip
    cases["uniform"] = lambda k: (r.uniform(k, (40,)), r.uniform(k, (2,), np.float32))
    cases["integers"] = lambda k: r.randint(k, (30,), -5, 1000)
    cases["permutation"] = lambda k: r.permutation(k, 20)
    cases["choice"] = lambda k: r.choice(k, 10, (4,), replace=False)
    cases["signs"] = lambda k: r.rademacher(k, (9,))
    return {n: (of(f), (RAW,)) for n, f in cases.items()}


def test_bits():
    for name, (ours, theirs) in both(draws()).items():
        same(ours, theirs, name=name)


def test_continuous_draws():
    r = jax.random
    cases = {
        "normal": lambda k: r.normal(k, (50,)),
        "exponential": lambda k: r.exponential(k, (20,)),
        "gumbel": lambda k: r.gumbel(k, (20,)),
        "categorical": lambda k: r.categorical(k, jnp.arange(4.0), shape=(30,)),
        "truncated": lambda k: r.truncated_normal(k, -1.0, 2.0, (20,)),
    }
    cases = {n: (of(f), (RAW,)) for n, f in cases.items()}
    for name, (ours, theirs) in both(cases).items():
        same(ours, theirs, 1e-12, name)


def test_keys_as_arguments_and_results():
    key = jax.random.key(3)
    closed = traced(lambda k: (jax.random.split(k), jax.random.bits(k)), key)
    program = interpret.compile(closed)
    raw = np.asarray(jax.random.key_data(key))
    for given in (key, raw):
        both_keys, bits = program([given])
        assert both_keys.dtype == np.uint32 and both_keys.shape == (2, 2)
        assert both_keys.tolist() == jax.random.key_data(jax.random.split(key)).tolist()
        assert int(bits) == int(jax.random.bits(key))


def test_other_generators_are_refused():
    for name in ("rbg", "unsafe_rbg"):
        key = jax.random.key(3, impl=name)
        assert name in str(key.dtype) or "rbg" in str(key.dtype)
        said = interpret.refusal(traced(jax.random.bits, key))
        assert said is not None and "rbg" in said
    was = jax.config.jax_threefry_partitionable
    jax.config.update("jax_threefry_partitionable", False)
    try:
        closed = traced(jax.random.bits, jax.random.key(0))
        assert "partitionable" in interpret.refusal(closed)
    finally:
        jax.config.update("jax_threefry_partitionable", was)


def test_the_hash_itself():
    """Known answers of threefry2x32 with 20 rounds, from its authors' kat_vectors."""
    from banach.engine.interpret.keys import _hash, _hashes

    known = [
        ((0, 0, 0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 4, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344, 0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]
    for given, answer in known:
        assert _hash(*given) == answer
        arrays = [np.array([v], np.uint32) for v in given]
        assert tuple(int(v[0]) for v in _hashes(*arrays)) == answer


@pytest.mark.parametrize("count", [1, 6, 7])
def test_few_and_many_blocks_agree(count):
    with compat.double():
        want = np.asarray(jax.random.bits(jax.random.key(9), (count,), np.uint64))
    closed = traced(
        lambda k: jax.random.bits(k, (count,), np.uint64), jax.random.key(9)
    )
    assert interpret.compile(closed)([jax.random.key(9)])[0].tolist() == want.tolist()
