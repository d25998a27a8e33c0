"""A program in two has the bits of the whole, whatever came before."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core import compat
from banach.engine import interpret
from banach.engine.executors import Program

RNG = np.random.default_rng(5)
A, B = RNG.standard_normal((7, 4)), RNG.standard_normal((7, 4))
Y, Z = RNG.standard_normal(7), RNG.standard_normal(7)


def sizes(A, y, t):
    """Of A alone, of both, a view of A, and loops over either."""
    norms = jnp.sqrt(jnp.sum(A * A, axis=1))
    total, rows = jax.lax.scan(lambda s, r: (s + r.sum(), r.max()), 0.0, A)
    both = A.T @ (y / norms) + t * A[2]
    far = jax.lax.while_loop(lambda v: v < 10, lambda v: v + norms.max(), y[0])
    return norms, rows, both, total, far, jnp.where(y > 0, norms, y), jnp.arange(3)


def traced(fun, *args):
    with compat.double():
        return jax.make_jaxpr(fun)(*args)


def same(left, right):
    for a, b in zip(left, right, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes()
        assert a.flags.c_contiguous and a.flags.owndata


def test_a_program_that_was_compiled_still_works_out_once_what_arrays_decide(
    monkeypatch,
):
    """Another problem of the same shapes, judged before, had it compiled."""
    with compat.double():
        program = Program(lambda A, y: A.T @ y, (A, Y))
        held = jnp.asarray(A)
        (want,) = program.compiled([A, Y])[0]
        monkeypatch.setattr(Program, "compiled", None)  # is not called again
        (got,) = program.with_arrays([np.asarray(held), Y], {0: held})
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("early", [(0,), (1,), (0, 1), (2,), (0, 1, 2)])
def test_bits_are_those_of_the_whole(early):
    closed = traced(sizes, A, Y, 1.0)
    whole, staged = interpret.compile(closed), interpret.Staged(closed, early)
    with compat.double():
        on = {id(v): jnp.asarray(v) for v in (A, B, Y, Z)}
        t = np.float64(0.5)
        on[id(t)] = jnp.asarray(t)
        for given in ([A, Y, t], [A, Z, t], [B, Y, t], [A, Y, t], [B, Z, t]):
            arrays = tuple(on[id(given[i])] for i in early)
            for _ in range(2):
                same(staged(given, arrays), whole(given))


def test_what_an_array_decides_is_worked_out_once_while_it_lives():
    closed = traced(sizes, A, Y, 1.0)
    staged = interpret.Staged(closed, (0,))
    runs = []
    first = staged._first.run
    staged._first.run = lambda *args: runs.append(1) or first(*args)
    with compat.double():
        one, two = jnp.asarray(A), jnp.asarray(A)
        for arrays, count in (((one,), 1), ((one,), 1), ((two,), 2), ((one,), 2)):
            staged([A, Y, np.float64(1)], arrays)
            assert len(runs) == count
        del one
        arrays = None
        staged([A, Y, np.float64(1)], (jnp.asarray(A),))
        assert len(runs) == 3


def test_a_limit_knows_no_history():
    closed = traced(sizes, A, Y, 1.0)
    staged = interpret.Staged(closed, (0,))
    whole = interpret.compile(closed)
    whole([A, Y, np.float64(1)])
    spent = whole.spent
    with compat.double():
        on = jnp.asarray(A)
    for _ in range(3):
        staged([A, Y, np.float64(1)], (on,), spent)
        with pytest.raises(interpret.Exhausted):
            staged([A, Y, np.float64(1)], (on,), 3.0)


def test_large_results_are_made_again_and_views_hold_nothing():
    wide = np.ones((300, 300))
    closed = traced(lambda M, y: (jnp.abs(M) @ y, M[0] * y, M.sum()), wide, wide[0])
    staged = interpret.Staged(closed, (0,))
    with compat.double():
        on = jnp.asarray(wide)
        out = staged([wide, wide[1]], (on,))
    np.testing.assert_array_equal(out[0], np.full(300, 300.0))
    ((_, kept, _),) = staged._known
    assert [np.shape(v) for v in kept] == [()]
