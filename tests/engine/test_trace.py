"""The trace: fixed memory, rows at exact multiples of a stride that doubles."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import CHECK, ridge

from banach.engine import trace as tr
from banach.engine.loop import run
from banach.methods.smooth.gradient_descent import GradientDescent

LOOKS = 200


@functools.cache
def recorder(rows):
    """Record looks 0..n-1 of which number i happened at step 3 i."""

    def look(i, trace):
        ratio = jnp.sin(i.astype(jnp.float64))
        calls = jnp.stack([i, 2 * i])
        return tr.record(trace, 3 * i, ratio, ratio**2, calls)

    empty = tr.empty(rows, 2, np.float64)
    return jax.jit(lambda n: jax.lax.fori_loop(0, n, look, empty))


@pytest.mark.parametrize("rows", [2, 8])
def test_kept_rows_are_every_stride_th_look(rows):
    everything = recorder(256)(LOOKS)
    assert int(everything.filled) == LOOKS and int(everything.stride) == 1
    for n in [*range(40), 63, 64, 65, 127, 128, 129, LOOKS]:
        t = recorder(rows)(n)
        stride, filled = int(t.stride), int(t.filled)
        assert t.step.shape == (rows,) and t.calls.shape == (rows, 2)
        assert int(t.count) == n
        # As many looks as fit, and no fewer than half of the room.
        assert filled == -(-n // stride) < rows
        assert stride == 1 or filled >= rows // 2
        for name in ("step", "ratio", "value", "calls"):
            full = getattr(everything, name)[:n:stride]
            np.testing.assert_array_equal(getattr(t, name)[:filled], full)


def test_no_rows_no_trace_and_odd_rows_are_refused():
    t = recorder(0)(50)
    assert t.step.shape == (0,) and int(t.count) == 0
    with pytest.raises(ValueError, match="must be even, got 7"):
        tr.empty(7, 1, np.float64)


def test_a_run_keeps_the_same_numbers_whatever_the_room():
    problem = ridge()
    method = GradientDescent.suggest(problem, problem.facts())

    def go(rows):
        out = run(
            problem, method, check=CHECK, tol=1e-13, max_steps=90, every=1, trace=rows
        )
        return out.trace, out.x

    short, x = go(8)
    full, same = go(128)
    assert int(full.filled) == 91 and int(full.stride) == 1
    assert int(short.stride) == 16 and int(short.filled) == 6
    kept = slice(0, 91, 16)
    np.testing.assert_array_equal(short.step[:6], np.arange(91)[kept])
    np.testing.assert_array_equal(short.ratio[:6], full.ratio[:91][kept])
    np.testing.assert_array_equal(short.calls[:6, 0], np.arange(1, 92)[kept])
    np.testing.assert_array_equal(x, same)
