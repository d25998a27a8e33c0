"""Oracles are counted where a program comes to them, and as often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from counted import Counted, Tally, callbacks

import banach as bn
from banach.engine import interpret

BOWL = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(3))
X = np.array([1.0, 2.0, 3.0])


def often(problem, x):
    """Three gradients in a loop, one of two branches, an unused value; two at once."""

    def grad(v):
        return problem.grad(v)

    y = jax.lax.fori_loop(0, 3, lambda i, v: v - 0.1 * grad(v), x)
    y = jax.lax.cond(y[0] > 0, grad, lambda v: v * problem.value(v), y)
    problem.value(y)
    return y + jnp.sum(jax.vmap(grad)(jnp.stack([x, y])), axis=0)


def counts(by):
    tally = Tally()
    problem = Counted(BOWL, tally)
    with callbacks():
        out = by(lambda x: often(problem, x))
    jax.effects_barrier()
    return np.asarray(out), dict(tally.run)


def test_numpy_counts_what_xla_counts():
    def numpy(f):
        return interpret.compile(jax.make_jaxpr(f)(X))([X])[0]

    ours, counted = counts(numpy)
    theirs, wanted = counts(lambda f: jax.jit(f)(X))
    # What vmap does at once is one call.
    assert counted == wanted == {"grad": 5, "value": 1}
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_callbacks_are_refused_as_before():
    closed = jax.make_jaxpr(lambda x: often(Counted(BOWL, Tally()), x))(X)
    with callbacks():
        assert "effects" in interpret.refusal(closed)
    with pytest.raises(KeyError, match="debug_callback"):
        interpret.compile(closed)([X])
