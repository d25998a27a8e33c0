"""Many lanes of one function: a branch runs where some lane takes it."""

import jax
import jax.numpy as jnp
import numpy as np

from banach.engine.batched_control_flow import lockstep

X = np.arange(12.0).reshape(4, 3) - 3
TURNS = np.array([1, 4, 2, 0], np.int32)


def turning(x, k):
    """Conditions inside a loop, a scan, a jitted call and a switch."""

    def body(s):
        i, v = s
        return i + 1, jax.lax.cond(i % 2 == 0, lambda: v * 2, lambda: v + x)

    _, v = jax.lax.while_loop(lambda s: s[0] < k, body, (k - k, x))

    def turn(c, t):
        return jax.lax.cond(c.sum() > t, lambda c: c - 1, lambda c: c, c), c.sum()

    c, rows = jax.lax.scan(turn, v, jnp.arange(3.0))

    @jax.jit
    def chosen(z):
        which = jnp.int32(jnp.abs(z[0])) % 3
        return jax.lax.switch(which, [lambda: 1.0, lambda: 2.0, lambda: z.sum()])

    return {"c": c, "rows": rows, "chosen": chosen(v)}


def test_lanes_get_what_vmap_gives_them():
    want = jax.tree.leaves(jax.vmap(turning)(X, TURNS))
    played = lockstep(turning, X[0], TURNS[0])
    got = jax.jit(jax.vmap(played))(X, TURNS)
    assert len(want) == len(got) == 3
    for a, b in zip(want, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_branch_that_no_lane_takes_is_not_run():
    ran = []
    number = jax.ShapeDtypeStruct((), np.float32)

    def counted(v):
        ran.append(1)
        return np.float32(v)

    def costly(x):
        return jax.pure_callback(counted, number, x, vmap_method="sequential")

    def dear(x):
        return jax.lax.cond(x > 2, costly, lambda x: x, x)

    many = jax.vmap(lockstep(dear, np.float32(0)))
    low = np.array([0, 1, 2], np.float32)
    (out,) = many(low)
    np.testing.assert_array_equal(out, low)
    assert ran == []
    (out,) = many(low + 1)
    np.testing.assert_array_equal(out, low + 1)
    assert len(ran) == 3


def test_one_condition_for_all_lanes_stays_one():
    played = lockstep(lambda k, x: jax.lax.cond(k, lambda: x, lambda: -x), True, X[0])
    for flag in (True, False):
        (out,) = jax.vmap(played, in_axes=(None, 0))(flag, X)
        np.testing.assert_array_equal(out, X if flag else -X)
