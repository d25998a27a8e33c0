"""JAX's default random numbers, threefry2x32, bit for bit.

Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (2011). The
counters of a draw of some shape are 0, 1, 2, ... in 64 bits, each in two halves
(JAX's `jax_threefry_partitionable`, which has been its default since 0.5).
"""

import math
from typing import Any

import jax
import numpy as np

from banach.engine.interpret.table import dtype_of, held, is_key, result, rule, shape_of

_TURNS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_MASK = 0xFFFFFFFF
_FEW = 6
"""Up to so many blocks Python's own integers are faster than NumPy's arrays."""


def _hash(k1: int, k2: int, x: int, y: int) -> tuple[int, int]:
    """Threefry of 20 rounds, of one block."""
    keys = (k1, k2, k1 ^ k2 ^ _PARITY)
    x, y = (x + k1) & _MASK, (y + k2) & _MASK
    for i in range(5):
        for turn in _TURNS[i % 2]:
            x = (x + y) & _MASK
            y = ((y << turn | y >> (32 - turn)) & _MASK) ^ x
        x = (x + keys[(i + 1) % 3]) & _MASK
        y = (y + keys[(i + 2) % 3] + i + 1) & _MASK
    return x, y


def _hashes(k1: Any, k2: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The same of arrays of uint32."""
    keys = (k1, k2, k1 ^ k2 ^ np.uint32(_PARITY))
    x, y = x + k1, y + k2
    for i in range(5):
        for turn in _TURNS[i % 2]:
            x = x + y
            y = ((y << np.uint32(turn)) | (y >> np.uint32(32 - turn))) ^ x
        x = x + keys[(i + 1) % 3]
        y = y + keys[(i + 2) % 3] + np.uint32(i + 1)
    return x, y


def _blocks(key: Any, count: int) -> tuple[Any, Any]:
    """The hashes of counters 0 to count - 1 under keys, along a new last axis."""
    if key.ndim == 1 and count <= _FEW:
        k1, k2 = int(key[0]), int(key[1])
        pairs = [_hash(k1, k2, 0, i) for i in range(count)]
        both = np.array(pairs, np.uint32).reshape(count, 2)
        return both[:, 0], both[:, 1]
    counters = np.arange(count, dtype=np.uint64)
    high = (counters >> np.uint64(32)).astype(np.uint32)
    return _hashes(key[..., :1], key[..., 1:], high, counters.astype(np.uint32))


def _unknown(eqn: Any) -> str | None:
    """Keys of another generator, or counters in the order of JAX before 0.5."""
    for v in (*eqn.invars, *eqn.outvars):
        if is_key(v.aval.dtype) and str(v.aval.dtype) != "key<fry>":
            return f"keys of {v.aval.dtype}"
    if not jax.config.jax_threefry_partitionable:
        return "jax_threefry_partitionable is off"
    return None


@rule("random_wrap", "random_unwrap", unless=_unknown, keys=True)
def _wrap(eqn):
    return lambda key: key


@rule("random_split", unless=_unknown, keys=True)
def _split(eqn):
    count = math.prod(eqn.params["shape"])
    shape, _ = held(result(eqn))
    return lambda key: np.stack(_blocks(key, count), axis=-1).reshape(shape)


@rule("random_bits", unless=_unknown, keys=True)
def _bits(eqn):
    width, count = eqn.params["bit_width"], math.prod(eqn.params["shape"])
    shape, dtype = held(result(eqn))

    def drawn(key):
        high, low = _blocks(key, count)
        if width == 64:
            wide = high.astype(np.uint64) << np.uint64(32) | low
        else:
            wide = (high ^ low).astype(dtype)
        return wide.reshape(shape)[()]

    return drawn


def _halves(data: Any) -> tuple[Any, Any]:
    """An integer as two halves of 32 bits; one of 32 bits has no upper half."""
    data = np.asarray(data)
    if data.dtype.itemsize < 8:
        # As JAX: shifted by 32 in its own width nothing is left of it.
        return np.zeros(data.shape, np.uint32), data.astype(np.uint32)
    whole = data.view(np.uint64)
    return (whole >> np.uint64(32)).astype(np.uint32), whole.astype(np.uint32)


@rule("random_seed", unless=_unknown, keys=True)
def _seed(eqn):
    return lambda seed: np.stack(_halves(seed), axis=-1)


@rule("random_fold_in", unless=_unknown, keys=True)
def _fold_in(eqn):
    shape, _ = held(result(eqn))
    plain = shape_of(eqn) == () and shape_of(eqn, 1) == ()
    assert dtype_of(eqn, 1).kind in "iu"

    def folded(key, data):
        if plain:
            low = int(data) & _MASK
            return np.array(_hash(int(key[0]), int(key[1]), 0, low), np.uint32)
        low = np.asarray(data).astype(np.uint32)
        both = _hashes(key[..., 0], key[..., 1], np.zeros_like(low), low)
        return np.stack(np.broadcast_arrays(*both), axis=-1).reshape(shape)

    return folded


@rule("threefry2x32", many=True)
def _threefry(eqn):
    shape = result(eqn).shape

    def hashed(k1, k2, x, y):
        arrays = np.broadcast_arrays(k1, k2, x, y)
        return [v.reshape(shape)[()] for v in _hashes(*arrays)]

    return hashed
