"""Branches, loops, calls; and the limit at which a program gives up."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agree import both, numpy_of, same, traced
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from banach.engine import interpret

V = np.array([0.5, -1.0, 2.0])


@jax.custom_jvp
def halved(x):
    return x / 2


halved.defjvp(lambda p, t: (halved(*p), t[0] / 2))


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


@functools.partial(lax.composite, name="ours.sixfold")
def composed(x):
    return 6 * x


@jax.custom_batching.custom_vmap
def tripled(x):
    return 3 * x


@tripled.def_vmap
def _tripled_lanes(size, batched, x):
    return 3 * x, batched[0]


def collatz(n):
    def step(s):
        i, n = s
        return i + 1, jnp.where(n % 2 == 0, n // 2, 3 * n + 1)

    return lax.while_loop(lambda s: s[1] != 1, step, (jnp.int32(0), n))


def nested(x):
    def outer(i, x):
        return lax.fori_loop(0, i + 1, lambda j, y: y * 1.1 + j, x)

    return lax.fori_loop(0, 4, outer, x)


def scanned(x, reverse):
    def body(carry, row):
        return carry * 0.5 + row[0], (carry, row[1:] - carry)

    return lax.scan(body, x[0], jnp.outer(x, x), reverse=reverse)


CASES = {
    "while": (collatz, (np.int64(27),)),
    "while of none": (collatz, (np.int64(1),)),
    "nested": (nested, (V,)),
    "many lanes": (jax.vmap(collatz), (np.array([3, 1, 7, 27]),)),
    "lanes of vectors": (
        jax.vmap(
            lambda n, x: (
                collatz(n),
                lax.while_loop(lambda v: v.sum() < 9, lambda v: v * 1.5, x),
            )
        ),
        (np.array([3, 1]), np.array([[1.0, 2], [3, 70]])),
    ),
    "scan": (lambda x: scanned(x, False), (V,)),
    "scan back": (lambda x: scanned(x, True), (V,)),
    "scan of nothing": (
        lambda x: lax.scan(lambda c, r: (c + r, c), x[0], x[:0]),
        (V,),
    ),
    "scan without rows": (
        lambda x: lax.scan(lambda c, _: (c * 2, None), x, None, length=5),
        (V,),
    ),
    "gradient of a scan": (
        jax.grad(lambda x: jnp.sum(scanned(x, False)[1][1] ** 2)),
        (V,),
    ),
    "switch": (
        lambda x, i: lax.switch(i, [jnp.sin, jnp.cos, lambda v: v * 0], x),
        (V, np.int32(1)),
    ),
    "switch beyond": (
        lambda x, i: lax.switch(i, [jnp.sin, jnp.cos], x),
        (V, np.int32(7)),
    ),
    "switch below": (
        lambda x, i: lax.switch(i, [jnp.sin, jnp.cos], x),
        (V, np.int32(-7)),
    ),
    "cond that hands on": (
        lambda x, t: lax.cond(t, lambda v: v, lambda v: v[::-1], x),
        (V, np.bool_(True)),
    ),
    "by platform": (
        lambda x: lax.platform_dependent(x, cpu=jnp.sin, default=jnp.cos),
        (V,),
    ),
    "custom jvp": (lambda x: (halved(x), jax.jvp(halved, (x,), (x,))[1]), (V,)),
    "custom vjp": (
        lambda x: (doubled(x), jax.grad(lambda v: doubled(v).sum())(x)),
        (V,),
    ),
    "checkpoint": (
        jax.grad(lambda x: jnp.sum(jax.checkpoint(lambda v: jnp.sin(v) ** 2)(x))),
        (V,),
    ),
    "jit": (lambda x: jax.jit(lambda v: jax.jit(jnp.sin)(v) + v)(x), (V,)),
    "composite": (lambda x: composed(x), (V,)),
    "linear call": (
        lambda x: jax.custom_derivatives.linear_call(
            lambda r, t: r * t, lambda r, t: r * t, x, x + 1
        ),
        (V,),
    ),
    "custom vmap": (lambda x: tripled(x), (V,)),
    "barrier": (lambda x: lax.optimization_barrier((x, x * 2)), (V,)),
    "named": (lambda x: checkpoint_name(x + 1, "x"), (V,)),
    "put": (lambda x: jax.device_put(x) * 3, (V,)),
    "stopped": (lambda x: lax.stop_gradient(x) + x, (V,)),
    "captured": (lambda x: x + jnp.asarray(V[::-1]) * np.float64(3), (V,)),
    "unused": (lambda x, y: x + 1, (V, V)),
    "equinox's": (
        lambda x: eqx.filter_jit(eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0)))(x),
        (V.astype(np.float32),),
    ),
    "median": (lambda x: jnp.quantile(x, 0.3), (V,)),
    "softmax": (lambda x: (jax.nn.softmax(x), jax.nn.logsumexp(x)), (V,)),
}


def test_control_flow():
    for name, (ours, theirs) in both(CASES).items():
        same(ours, theirs, 1e-6 if name == "equinox's" else 1e-13, name)


def test_a_program_keeps_nothing_between_calls():
    closed = traced(nested, V)
    program = interpret.compile(closed)
    first, _, again = (program([x])[0].tolist() for x in (V, V + 1, V))
    assert first == again


def test_work_is_counted_and_limited():
    closed = traced(collatz, np.int64(27))
    program = interpret.compile(closed)
    (steps, _) = program([np.int64(27)])
    assert int(steps) == 111
    spent = program.spent
    # Each round is a test and a body of at least five equations.
    assert 111 * 6 <= spent <= 111 * 30
    with pytest.raises(interpret.Exhausted):
        program([np.int64(27)], limit=spent / 2)
    assert program.spent < 1.6 * spent
    assert int(program([np.int64(27)], limit=2 * spent)[0]) == 111

    (twice,) = numpy_of(lambda x: x * 2, np.ones(8000))
    assert twice.sum() == 16000
    assert interpret.work(traced(lambda x: x * 2, np.ones(8000))) == 4
    assert interpret.work(traced(lambda x: x * 2, np.ones(8))) == 1
    loop = traced(lambda x: lax.scan(lambda c, _: (c * 2, None), x, None, 7), V)
    assert interpret.work(loop) == 8


def test_leaves_of_another_shape_or_dtype_are_an_error():
    program = interpret.compile(traced(lambda x: x + 1, V))
    for wrong in (V[:2], V.astype(np.float32), np.float64(3)):
        with pytest.raises(ValueError, match="made for shape"):
            program([wrong])
    assert program([jnp.asarray(V)])[0].tolist() == (V + 1).tolist()


def test_the_order_of_memory_changes_no_bits():
    a = np.random.default_rng(0).standard_normal((40, 30))
    program = interpret.compile(traced(lambda a: (a @ a[0], a.sum(0), a.T @ a), a))
    for c, f in zip(program([a]), program([np.asfortranarray(a)]), strict=True):
        assert c.tobytes() == f.tobytes()


def placed(array, offset):
    """A copy that begins `offset` bytes after a border of 64."""
    room = np.empty(array.nbytes + 128, np.uint8)
    first = -room.ctypes.data % 64 + offset
    out = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def test_where_arrays_lie_changes_no_bits():
    """Else a run would not repeat itself: memory comes from anywhere."""
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((57, 31)), rng.standard_normal(57)

    def all_of(a, b):
        m = a.T @ a + jnp.eye(31)
        sums = (a.sum(), a.sum(0), a.sum(1), b @ b, b @ a, a @ a[0], m, a @ m)
        curves = (jnp.exp(b), jnp.tanh(b), jnp.log1p(b * b), jax.nn.sigmoid(a))
        factors = (jnp.linalg.cholesky(m), jnp.linalg.eigh(m)[0], jnp.linalg.qr(a)[1])
        return sums, curves, factors, jnp.linalg.solve(m, a[0])

    program = interpret.compile(traced(all_of, a, b))
    first = [v.tobytes() for v in program([a, b])]
    for offset in (0, 8, 16, 40, 56):
        again = program([placed(a, offset), placed(b, 64 - offset)])
        assert [v.tobytes() for v in again] == first
