"""Reductions, running reductions, orders, products and convolutions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from agree import both, numpy_of, same
from jax import lax

RNG = np.random.default_rng(11)
X = RNG.standard_normal((3, 4, 5))
X[0, 1, 2], X[2, 0, 0], X[1, 1, 1] = np.nan, np.inf, -np.inf
INTS = RNG.integers(-(2**31), 2**31, (3, 4), np.int32)
TRUTH = RNG.random((3, 4)) < 0.5
EMPTY = np.zeros((0, 3))
WITH_NAN = np.array([2.0, np.nan, -np.inf, 0.0, -0.0, 2.0, np.inf, -1.0, np.nan, 2.0])


def reductions():
    cases = {}
    for name in "sum prod max min".split():
        fun = getattr(jnp, name)
        cases[name] = (lambda x, f=fun: (f(x), f(x, 1), f(x, (0, 2))), (X,))
        cases[f"{name} of ints"] = (
            lambda x, f=fun: (f(x), f(x, 0)) if f in (jnp.max, jnp.min) else
            (f(x, dtype=x.dtype), f(x, 0, dtype=x.dtype)),
            (INTS,),
        )  # fmt: skip
    one = {"max": -np.inf, "min": np.inf}
    for name, start in one.items():
        fun = getattr(lax, f"reduce_{name}_p")
        cases[f"{name} of nothing"] = (
            lambda x, f=fun: f.bind(x, axes=(0,), out_sharding=None),
            (EMPTY,),
        )
        cases[f"{name} of no ints"] = (
            lambda x, f=fun: f.bind(x, axes=(0,), out_sharding=None),
            (EMPTY.astype(np.int32),),
        )
        assert start in (np.inf, -np.inf)
    cases["sum of nothing"] = (lambda x: (jnp.sum(x, 0), jnp.sum(x)), (EMPTY,))
    cases["prod of nothing"] = (lambda x: jnp.prod(x, 0), (EMPTY,))
    cases["all and any"] = (
        lambda t: (jnp.all(t), jnp.any(t, 0), jnp.all(t, 1), jnp.max(t), jnp.min(t, 0)),
        (TRUTH,),
    )
    cases["of no truth"] = (lambda t: (jnp.all(t), jnp.any(t)), (TRUTH[:0],))
    cases["bits"] = (
        lambda x: [
            lax.reduce(x, np.int32(a), f, (0,))
            for a, f in (
                (-1, lax.bitwise_and),
                (0, lax.bitwise_or),
                (0, lax.bitwise_xor),
            )
        ],
        (INTS,),
    )
    cases["first of the largest"] = (
        lambda x, w: (
            jnp.argmax(w), jnp.argmin(w), jnp.argmax(x, 1), jnp.argmin(x, 2),
            lax.argmax(x, 0, np.int32), jnp.argmax(jnp.floor(x[1]), 0),
        ),
        (X, WITH_NAN),
    )  # fmt: skip
    running = [lax.cumsum, lax.cumprod, lax.cummax, lax.cummin, lax.cumlogsumexp]
    for fun, back in itertools.product(running, (False, True)):
        cases[f"{fun.__name__} {back}"] = (
            lambda x, f=fun, b=back: f(x[1:], axis=1, reverse=b),
            (X,),
        )
    cases["cumsum of ints"] = (lambda x: lax.cumsum(x, axis=1, reverse=True), (INTS,))
    cases["max of float32"] = (lambda x: jnp.max(x, 0), (X.astype(np.float32),))
    return cases


def orders():
    keys = np.array([3, 1, 3, 1, 2, 2, 3, 1, 1, 2], np.int32)
    wide = np.stack([WITH_NAN, WITH_NAN[::-1], -WITH_NAN])
    return {
        "sort": (lambda x: lax.sort(x), (WITH_NAN,)),
        "sort rows": (lambda x: lax.sort(x, dimension=0), (wide,)),
        "argsort": (lambda x: jnp.argsort(x), (WITH_NAN,)),
        "argsort down": (lambda x: jnp.argsort(x, descending=True), (WITH_NAN,)),
        "argsort columns": (lambda x: jnp.argsort(x, axis=0), (wide,)),
        "two keys": (
            lambda k, x: lax.sort((k, x, jnp.arange(10)), num_keys=2),
            (keys, WITH_NAN),
        ),
        "one key of three": (
            lambda k, x: lax.sort((k, x, jnp.arange(10)), num_keys=1),
            (keys, WITH_NAN),
        ),
        "two keys of rows": (
            lambda x: lax.sort((jnp.floor(x[..., 0]), x[..., 1]), num_keys=2),
            (X,),
        ),
        "sort of truth": (lambda t: lax.sort(t, dimension=1), (TRUTH,)),
        "largest": (lambda x: lax.top_k(x, 4), (WITH_NAN,)),
        "largest of rows": (lambda x: lax.top_k(x, 3), (wide[:, 1:9].copy(),)),
        "largest ints": (lambda x: lax.top_k(x, 5), (keys,)),
        "least int": (
            lambda x: lax.top_k(x, 2),
            (np.array([-(2**31), 5, -(2**31), 2**31 - 1], np.int32),),
        ),
    }


def test_reductions_and_orders():
    for name, (ours, theirs) in both(reductions() | orders()).items():
        if name.startswith(("largest", "sort", "two", "one")):
            # In a sort zeros are equal, whatever their sign: either may come first.
            ours = [v + 0 if v.dtype.kind == "f" else v for v in ours]
            theirs = [v + 0 if v.dtype.kind == "f" else v for v in theirs]
        same(ours, theirs, 1e-13, name)


def products():
    a, b = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 4, 5))
    m, n, v, w = a[0], b[0], RNG.standard_normal(4), RNG.standard_normal(3)
    narrow = m.astype(np.float32), n.astype(np.float32)
    around = a.transpose(2, 0, 1).copy()
    nothing = (((), ()), ((), ()))

    def along(axis_a, axis_b):
        return lambda x, y: jnp.tensordot(x, y, (axis_a, axis_b))

    def sums(spec):
        return lambda x, y: jnp.einsum(spec, x, y)

    def wide(dtype):
        return lambda x: lax.dot_general(
            x, x, (((0,), (0,)), ((), ())), preferred_element_type=dtype
        )

    cases = {
        "inner": (jnp.dot, (v, n[:, 0].copy())),
        "outer": (lambda v, w: lax.dot_general(v, w, nothing), (v, w)),
        "outer of more": (lambda a, w: jnp.tensordot(a, w, 0), (a, w)),
        "scalars": (lambda v, w: lax.dot_general(v[0], w, nothing), (v, w)),
        "matrix vector": (jnp.dot, (m, v)),
        "transposed vector": (lambda m, w: m.T @ w, (m, w)),
        "vector matrix": (jnp.dot, (w, m)),
        "matrices": (jnp.dot, (m, n)),
        "first with first": (along(0, 0), (m, m + 1)),
        "last with last": (along(1, 1), (m, m + 1)),
        "first with last": (along(0, 1), (m, m.T.copy())),
        "stack by vector": (along(2, 0), (a, v)),
        "vector by stack": (along(0, 1), (w, a)),
        "over two": (along((0, 2), (1, 0)), (a, around)),
        "batched": (jnp.matmul, (a, b)),
        "batched vectors": (sums("bik,bk->bi"), (a, a[:, 0].copy())),
        "batch is last": (sums("kib,bkj->bij"), (a.transpose(2, 1, 0).copy(), b)),
        "batch of two": (sums("abk,abk->ab"), (a, a)),
        "batch and free": (sums("bik,bkj->jbi"), (a, b)),
        "nothing summed": (sums("bi,bj->bij"), (m, m + 2)),
        "over nothing": (lambda m, n: m[:, :0] @ n[:0], (m, n)),
        "of no rows": (lambda m, n: m[:0] @ n, (m, n)),
        "ints": (jnp.dot, (INTS, INTS.T.copy())),
        "small ints summed wide": (wide(np.int32), (INTS.astype(np.int8),)),
        "float32": (jnp.dot, narrow),
        "float32 summed wide": (wide(np.float64), narrow[:1]),
    }
    # Nothing may be skipped because a factor is zero.
    bad = np.zeros((9, 9))
    bad[3, 4] = np.nan
    bad[5, 6] = np.inf
    cases["NaN by zero"] = (
        lambda m: (m @ m, m @ m[:, 0], m.T @ m[0], m[0] @ m),
        (bad,),
    )
    return cases


def test_products():
    for name, (ours, theirs) in both(products()).items():
        same(ours, theirs, 1e-5 if name == "float32" else 1e-12, name)


def convolutions():
    x = RNG.standard_normal((2, 7, 6, 4))
    k = RNG.standard_normal((3, 2, 4, 6))
    grouped = RNG.standard_normal((3, 2, 2, 6))
    line, short = RNG.standard_normal((1, 1, 12)), RNG.standard_normal((1, 1, 5))
    names = ("NHWC", "HWIO", "NHWC")

    def made(**options):
        options = {"window_strides": (1, 1), "padding": "SAME"} | options
        return lambda x, k: lax.conv_general_dilated(
            x, k, dimension_numbers=names, **options
        )

    def loss(x, k):
        return jnp.sum(jnp.sin(made(window_strides=(2, 1))(x, k)))

    return {
        "same": (made(), (x, k)),
        "strided": (made(window_strides=(2, 3), padding="VALID"), (x, k)),
        "dilated": (made(rhs_dilation=(2, 1), padding=((1, 2), (0, 3))), (x, k)),
        "transposed": (made(lhs_dilation=(2, 2), padding=((-1, 2), (3, -1))), (x, k)),
        "groups": (made(feature_group_count=2), (x, grouped)),
        "gradients": (jax.grad(loss, (0, 1)), (x, k)),
        "line": (lambda x, k: lax.conv(x, k, (1,), "SAME"), (line, short)),
        "numpy's": (lambda x, k: jnp.convolve(x[0, 0], k[0, 0]), (line, short)),
    }


def windows():
    plain = RNG.standard_normal((5, 6))
    broken = np.array(plain)
    broken[2, 3] = np.nan

    def made(start, fun, **options):
        options = dict(window_strides=(1, 2), padding="SAME") | options
        return lambda x: lax.reduce_window(x, start, fun, (2, 3), **options)

    wide = dict(window_dilation=(2, 1), base_dilation=(1, 2), padding="VALID")
    return {
        "largest": (made(-np.inf, lax.max), (broken,)),
        "least": (made(np.inf, lax.min, padding="VALID"), (plain,)),
        "sums": (made(0.0, lax.add), (broken,)),
        "spread": (made(0.0, lax.add, **wide), (plain,)),
        "gradient": (jax.grad(lambda x: jnp.sum(made(0.0, lax.add)(x) ** 2)), (plain,)),
    }


def test_convolutions_and_windows():
    for name, (ours, theirs) in both(convolutions() | windows()).items():
        same(ours, theirs, 1e-11, name)
    signal, kernel = np.arange(1.0, 6), np.array([1.0, -2, 3])
    (got,) = numpy_of(lambda x, k: jnp.convolve(x, k), signal, kernel)
    np.testing.assert_allclose(got, np.convolve(signal, kernel))
