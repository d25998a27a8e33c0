"""Against optax.contrib.schedule_free: equal where it works, and where it does not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import banach as bn


def both(tx, evaluate, theirs, their_x):
    """(our x, theirs) after five steps on ||p - 1||^2 / 2, gradients at their y."""
    ours = other = jnp.array([3.0, -2.0], "float32")
    state, that = tx.init(ours), theirs.init(other)
    for _ in range(5):
        u, state = tx.update(ours - 1, state, ours)
        ours = optax.apply_updates(ours, u)
        u, that = theirs.update(other - 1, that, other)
        other = optax.apply_updates(other, u)
    return np.asarray(evaluate(state, ours)), np.asarray(their_x(that, other))


@pytest.mark.parametrize("b1", [0.9, 0.0])
def test_sgd_is_that_of_optax_which_has_no_average_without_momentum(b1):
    theirs = optax.contrib.schedule_free_sgd(0.3, b1=b1)
    x, other = both(
        bn.train.schedule_free(0.3, b1, base="sgd"),
        bn.train.schedule_free.evaluated,
        theirs,
        optax.contrib.schedule_free_eval_params,
    )
    if b1:
        np.testing.assert_allclose(x, other, rtol=1e-5)
    else:
        assert not np.isfinite(other).all()
        # z - 1 = 0.7^t (z_0 - 1), and x is the mean of z_1 .. z_5.
        mean = np.mean(0.7 ** np.arange(1, 6))
        np.testing.assert_allclose(x, 1 + mean * np.array([2.0, -3.0]), rtol=1e-5)


def test_the_average_is_of_the_dtype_of_the_parameters():
    tx, p = bn.train.schedule_free(0.1), {"w": jnp.ones(3, jnp.bfloat16)}
    shape = jax.eval_shape(lambda p: bn.train.schedule_free.evaluated(tx.init(p), p), p)
    assert shape["w"].dtype == jnp.bfloat16
