"""What moves entries, and what looks them up, in and out of bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agree import both, numpy_of, same
from jax import lax

from banach.engine import interpret

M = np.arange(24.0).reshape(2, 3, 4)
V = np.array([3.0, -1.0, 2.0, 5.0, 0.0])
KEYS = jax.random.split(jax.random.key(5), 6)


def of_keys(fun):
    """A function of keys, of the numbers that hold them."""

    def call(data):
        return jax.random.key_data(fun(jax.random.wrap_key_data(data)))

    return call, (np.asarray(jax.random.key_data(KEYS)),)


CASES = {
    "scalar spread": (lambda x: lax.broadcast_in_dim(x, (2, 3), ()), (np.float64(3),)),
    "row spread": (lambda x: lax.broadcast_in_dim(x, (3, 5), (1,)), (V,)),
    "column spread": (lambda x: lax.broadcast_in_dim(x, (5, 3), (0,)), (V,)),
    "new axes": (lambda x: lax.broadcast_in_dim(x, (1, 5, 1), (1,)), (V,)),
    "one spread": (lambda x: lax.broadcast_in_dim(x, (2, 4), (0, 1)), (V[:1, None],)),
    "empty spread": (lambda x: lax.broadcast_in_dim(x, (0, 5), (1,)), (V,)),
    "scalar to vector": (lambda x: lax.reshape(x, (1,)), (np.float64(2),)),
    "vector to scalar": (lambda x: lax.reshape(x, ()), (V[:1],)),
    "reshape of a view": (lambda x: lax.reshape(x.T, (6, 4)), (M,)),
    "squeeze": (lambda x: lax.squeeze(x, (0, 2)), (V[None, :, None],)),
    "squeeze to scalar": (lambda x: lax.squeeze(x, (0, 1)), (V[:1, None],)),
    "transpose": (lambda x: lax.transpose(x, (2, 0, 1)), (M,)),
    "reverse": (lambda x: lax.rev(x, (0, 2)), (M,)),
    "slice": (lambda x: lax.slice(x, (0, 1, 1), (2, 3, 4), (1, 2, 2)), (M,)),
    "concatenate": (lambda x: lax.concatenate([x, x[:, :1]], 1), (M,)),
    "stack": (lambda x, y: jnp.stack([x, y], 1), (V, V + 1)),
    "stack of scalars": (lambda x: jnp.stack([x[0], x[2]]), (V,)),
    "unstack": (lambda x: jnp.unstack(x, axis=1), (M,)),
    "split": (lambda x: lax.split(x, (1, 3), axis=2), (M,)),
    "tile": (lambda x: jnp.tile(x, (2, 1, 2)), (M,)),
    "iota": (lambda x: x + lax.broadcasted_iota(np.float64, (3, 5), 0), (V,)),
    "long iota": (lambda: lax.iota(np.int32, 20000)[::5000], ()),
    "copied": (lambda x: (jnp.array(x, copy=True), x), (V,)),
    "given back": (lambda x: (x, x, x[1:]), (V,)),
    "pad": (lambda x: lax.pad(x, 9.0, [(1, 2, 0)]), (V,)),
    "pad inside": (lambda x: lax.pad(x, 9.0, [(0, 1, 2)]), (V,)),
    "cut": (lambda x: lax.pad(x, 9.0, [(-1, -2, 0)]), (V,)),
    "cut and inside": (lambda x: lax.pad(x, 9.0, [(-2, -1, 1)]), (V,)),
    "cut and pad inside": (lambda x: lax.pad(x, 9.0, [(-3, 4, 2)]), (V,)),
    "cut to nothing": (lambda x: lax.pad(x, 9.0, [(-5, 0, 0)]), (V,)),
    "cut beyond": (lambda x: lax.pad(x, 9.0, [(-6, 3, 0)]), (V,)),
    "pad of nothing": (lambda x: lax.pad(x[:0], 9.0, [(1, 1, 3)]), (V,)),
    "pad of a matrix": (lambda x: lax.pad(x, 0.0, [(1, 0, 1), (-1, 2, 0)]), (M[0],)),
    "keys sliced": of_keys(lambda k: k[1:4]),
    "keys reshaped": of_keys(lambda k: k.reshape(2, 3).T[::-1]),
    "keys joined": of_keys(lambda k: jnp.stack([k[0], *jnp.unstack(k[2:4])])),
    "keys spread": of_keys(lambda k: jnp.broadcast_to(k[:3], (2, 3))),
    "key at": of_keys(lambda k: lax.dynamic_index_in_dim(k, 4, keepdims=False)),
    "empty": (lambda x: jnp.concatenate([jnp.empty((0,)), x]), (V,)),
}
for first in (-9, -1, 0, 3, 4, 99):
    start = np.int32(first)
    CASES[f"window at {first}"] = (
        lambda x, i: lax.dynamic_slice(x, (i,), (2,)),
        (V, start),
    )
    CASES[f"block at {first}"] = (
        lambda x, i: lax.dynamic_slice(x, (0 * i, i, i - 1), (1, 2, 3)),
        (M, start),
    )
    CASES[f"window set at {first}"] = (
        lambda x, i: lax.dynamic_update_slice(x, x[:2] * 10, (i,)),
        (V, start),
    )


def test_moves():
    for name, (ours, theirs) in both(CASES).items():
        same(ours, theirs, name=name)


def test_arguments_are_never_written_to_and_results_are_own():
    x = V.copy()
    out = numpy_of(lambda x: (x, x[1:], x.at[0].set(9.0), x), x)
    for value in out:
        assert not any(value is not v and np.shares_memory(value, v) for v in (*out, x))
        value[:] = -7.0
    assert x.tolist() == V.tolist()


MODES = ["clip", "fill", "promise_in_bounds"]
OUT = np.array([[0, 1], [1, 2], [-1, 0], [1, 3], [5, 5], [0, -7], [1, 0]], np.int32)
INSIDE = np.array([[0, 1], [1, 2], [1, 0], [0, 0], [1, 0]], np.int32)


def gathers(mode, spots):
    numbers = np.arange(12.0).reshape(2, 3, 2)
    whole = lax.GatherDimensionNumbers(
        offset_dims=(1,), collapsed_slice_dims=(0, 1), start_index_map=(0, 1)
    )
    turned = lax.GatherDimensionNumbers(
        offset_dims=(0, 2), collapsed_slice_dims=(1,), start_index_map=(1, 0)
    )
    paired = lax.GatherDimensionNumbers(
        offset_dims=(1,),
        collapsed_slice_dims=(1,),
        start_index_map=(1,),
        operand_batching_dims=(0,),
        start_indices_batching_dims=(0,),
    )
    dtypes = [np.float32, np.int32, np.uint8, bool]
    cases = {
        "entries": (whole, numbers, spots, (1, 1, 2)),
        "windows": (whole, numbers, spots, (1, 1, 1)),
        "turned": (turned, numbers, spots[:, ::-1].copy(), (1, 1, 2)),
        "paired": (paired, numbers, spots[:2, 1:].copy(), (1, 1, 2)),
        "one": (whole, numbers, spots[1], (1, 1, 2)),
    }
    one_at = lax.GatherDimensionNumbers((0,), (0, 1), (0, 1))
    cases["one"] = (one_at, numbers, spots[1], (1, 1, 2))
    for dtype in dtypes:
        cases[f"of {np.dtype(dtype)}"] = (
            whole,
            numbers.astype(dtype),
            spots,
            (1, 1, 2),
        )
    for given in (np.int64, np.uint8, np.uint32):
        cases[f"by {np.dtype(given)}"] = (
            whole,
            numbers,
            spots.astype(given),
            (1, 1, 2),
        )

    def made(dims, sizes):
        return lambda x, i: lax.gather(x, i, dims, sizes, mode=mode)

    return {n: (made(d, s), (x, i)) for n, (d, x, i, s) in cases.items()}


SCATTERS = {
    "set": lax.scatter,
    "add": lax.scatter_add,
    "mul": lax.scatter_mul,
    "min": lax.scatter_min,
    "max": lax.scatter_max,
    "sub": lax.scatter_sub,
}


def scatters(mode, spots):
    numbers = np.arange(12.0).reshape(2, 3, 2)
    numbers[0, 1, 0] = np.nan
    entries = lax.ScatterDimensionNumbers((1,), (0, 1), (0, 1))
    inner = lax.ScatterDimensionNumbers((1, 2), (0,), (0, 2))
    alone = lax.ScatterDimensionNumbers((0,), (0, 1), (0, 1))
    paired = lax.ScatterDimensionNumbers((1,), (1,), (1,), (0,), (0,))
    n = len(spots)
    news = np.linspace(-3, 20, 2 * n).reshape(n, 2)
    cases = {}

    def made(fun, dims):
        return lambda x, i, new: fun(x, i, new, dims, mode=mode)

    for name, fun in SCATTERS.items():
        cases[name] = (made(fun, entries), (numbers, spots, news))
        cases[f"{name} one"] = (made(fun, alone), (numbers, spots[-2], news[0]))
        cases[f"{name} ints"] = (
            made(fun, entries),
            (np.arange(12, dtype=np.int32).reshape(2, 3, 2), spots,
             news.astype(np.int32)),
        )  # fmt: skip
    blocks = np.arange(6.0 * n).reshape(n, 3, 2)[:, :, :1].copy()
    cases["columns"] = (made(lax.scatter_add, inner), (numbers, spots, blocks))
    turned = lax.ScatterDimensionNumbers((0,), (0, 1), (0, 1))
    cases["turned"] = (
        made(lax.scatter_sub, turned),
        (numbers, spots, np.ascontiguousarray(news.T)),
    )
    cases["paired"] = (
        made(lax.scatter, paired),
        (numbers, spots[:2, 1:].copy(), news[:2]),
    )
    return cases


@pytest.mark.parametrize("mode", MODES)
def test_gather_and_scatter(mode):
    spots = INSIDE if mode == "promise_in_bounds" else OUT
    cases = {f"gather {n}": v for n, v in gathers(mode, spots).items()}
    cases |= {f"scatter {n}": v for n, v in scatters(mode, spots).items()}
    for name, (ours, theirs) in both(cases).items():
        same(ours, theirs, 1e-15, name)


def test_indexing_as_users_write_it():
    x, i = np.arange(20.0).reshape(4, 5), np.array([3, -1, 7, 0])
    cases = {
        "rows": (lambda x, i: x[i], (x, i)),
        "entry": (lambda x, i: x[i[1], 2], (x, i)),
        "diagonal": (lambda x, i: x[jnp.arange(4), i], (x, i)),
        "column": (lambda x, i: x[:, i[1]], (x, i)),
        "filled": (lambda x, i: x.at[i].get(mode="fill", fill_value=-5.0), (x, i)),
        "along": (lambda x, i: jnp.take_along_axis(x, i[:, None], 1), (x, i)),
        "row set": (lambda x, i: x.at[i[2]].set(1.0), (x, i)),
        "rows added": (lambda x, i: x.at[i].add(x[:1] * 2), (x, i)),
        "segments": (lambda x, i: jax.ops.segment_sum(x, i, 4), (x, i)),
        "by one": (lambda x, i: jnp.take(x, i, axis=1, mode="clip"), (x, i)),
        "nothing": (lambda x, i: x[i[:0]], (x, i)),
    }
    for name, (ours, theirs) in both(cases).items():
        same(ours, theirs, name=name)


def test_a_loop_under_vmap_ends_lane_by_lane():
    def collatz(n, x):
        def body(q):
            n, x, k = q
            return jnp.where(n % 2 == 0, n // 2, 3 * n + 1), x * 1.5, k + 1

        return lax.while_loop(lambda q: q[0] != 1, body, (n, x, 0))

    n, x = np.array([1, 6, 7, 2]), np.arange(12.0).reshape(4, 3)
    closed = jax.make_jaxpr(jax.vmap(collatz))(n, x)
    assert interpret.refusal(closed) is None
    last, grown, steps = interpret.compile(closed)([n, x])
    assert steps.tolist() == [0, 8, 16, 1] and last.tolist() == [1] * 4
    np.testing.assert_array_equal(grown, x * 1.5 ** np.array([[0], [8], [16], [1]]))
