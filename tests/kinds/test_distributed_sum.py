"""A sum over workers is the sum, whatever the shards; bad meshes and shards."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import at_once

import banach as bn

N, W = 11, 4
rng = np.random.default_rng(0)
A, y = rng.standard_normal((N, 3)), rng.standard_normal(N)
ORDER = np.argsort(y)
X = np.array([0.3, -0.2, 0.5])


def loss(x, d):
    a, target = d
    return (a @ x - target) ** 2 / 2


whole = bn.FiniteSum(loss, np.zeros(3), (A, y), l2=0.3)
spread = bn.DistributedSum(whole, W, order=ORDER)


def gradient(rows):
    return A[rows].T @ (A[rows] @ X - y[rows])


def test_value_and_gradient_are_those_of_the_sum():
    assert float(spread.value(X)) == pytest.approx(float(whole.value(X)), rel=1e-14)
    np.testing.assert_allclose(spread.grad(X), whole.grad(X), rtol=1e-13)
    np.testing.assert_allclose(
        spread.hvp(jnp.asarray(X), jnp.ones(3)), whole.hvp(jnp.asarray(X), jnp.ones(3))
    )
    assert float(spread.every_term(X)[1]) == N


def test_local_gradients_are_the_shards_and_average_to_the_whole():
    got = np.asarray(spread.local_grad(X))
    for i, piece in enumerate(np.array_split(ORDER, W)):
        want = W / N * gradient(piece) + 0.3 * X
        np.testing.assert_allclose(got[i], want, rtol=1e-13)
    np.testing.assert_allclose(got.mean(axis=0), whole.grad(X), rtol=1e-12)


def test_samples_are_unbiased_and_stay_within_the_shard():
    keys = jax.random.split(jax.random.key(0), 4000)
    draws = np.asarray(jax.vmap(lambda k: spread.local_sample(X, k, 2))(keys))
    spreads = draws.std(axis=0) / np.sqrt(4000)
    exact = np.asarray(spread.local_grad(X))
    assert np.all(np.abs(draws.mean(axis=0) - exact) <= 5 * spreads + 1e-12)
    moved = eqx.tree_at(
        lambda p: p.padded.data[1],
        spread,
        np.where(np.arange(W * 3) < 3, 100.0, spread.padded.data[1]),
    )
    key = jax.random.key(1)
    same = spread.local_sample(X, key, 5) == moved.local_sample(X, key, 5)
    assert not np.any(same[0]) and np.all(same[1:])


def test_pieces_add_up_to_the_whole_for_every_number_of_them():
    one = bn.DistributedSum(whole, 1, order=ORDER)
    counts = 1, 3, 8, 12, 20

    def gradients(x):
        return whole.grad(x), [
            one.coded_grad(
                x[None, None], k, np.arange(k)[None, None], np.ones((1, 1, k))
            )
            for k in counts
        ]

    want, found = at_once(gradients, X)
    for got in found:
        np.testing.assert_allclose(got[0, 0], want, rtol=1e-12)


def test_a_shard_dropped_or_counted_twice_is_refuted():
    """What the check adds up is counted; the workers' shares are not believed."""
    check, key = bn.checks.by_name("full_sum"), jax.random.key(0)
    from banach.core.point import Point

    good, _ = check(spread, Point(X), key, 0)
    assert not good.refuted()
    dropped = spread.real.copy()
    dropped[1] = False
    bad = eqx.tree_at(lambda p: p.real, spread, dropped)
    assert check(bad, Point(X), key, 0)[0].refuted()
    twice = np.ones_like(spread.real)
    bad = eqx.tree_at(lambda p: p.real, spread, twice)
    assert check(bad, Point(X), key, 0)[0].refuted()


@pytest.mark.parametrize(
    "workers, options, says",
    [
        (0, {}, "integer >= 1"),
        (2.0, {}, "integer >= 1.*write 2"),
        (N + 1, {}, "use at most 11"),
        (2, {"order": np.zeros(N, int)}, "each of 0..10 once"),
        (2, {"order": np.arange(3)}, "each of 0..10 once"),
    ],
)
def test_bad_input_is_refused_with_the_cure(workers, options, says):
    with pytest.raises(bn.Misuse, match=says):
        bn.DistributedSum(whole, workers, **options)


def test_a_mesh_must_be_one_axis_and_divide_the_workers():
    mesh = jax.make_mesh((1,), ("rows",))
    with pytest.raises(bn.Misuse, match=r"make_mesh\(\(1,\), \('workers',\)\)"):
        bn.DistributedSum(whole, 2, mesh=mesh)
    with pytest.raises(bn.Misuse, match="whole must be the bn.FiniteSum"):
        bn.DistributedSum(lambda x: x, 2)


def test_the_terms_come_back_in_the_order_of_the_workers():
    back = spread.as_finite_sum()
    np.testing.assert_array_equal(back.data[1], y[ORDER])
    assert float(back.value(X)) == pytest.approx(float(whole.value(X)), rel=1e-14)
