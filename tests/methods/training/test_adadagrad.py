"""AdAdaGrad: its batches, its tests of size, and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sum_case as case

import banach as bn
from banach.methods.training.adadagrad import Adadagrad
from banach.parts import batches
from banach.parts.batch_size import adadagrad_transform


def test_batches_have_no_term_twice_and_the_last_are_the_whole_sum():
    method = Adadagrad(0.3, case.N, eta=0.1, batch=4, chunk=16)
    xs, draws, states = case.drive(case.problem(), method, 20)
    assert all(len(set(d)) == len(d) for d in draws)
    assert len(draws[-1]) == case.N
    x = np.asarray(xs[-2])
    g = case.term_gradients(x).mean(axis=0)
    v = np.asarray(states[-1].inner.sum_of_squares)
    np.testing.assert_allclose(xs[-1] - x, -0.3 * g / np.sqrt(v), rtol=1e-9)


def test_the_chunk_changes_nothing_but_rounding():
    runs = [
        case.drive(case.problem(), Adadagrad(0.3, case.N, batch=5, chunk=c), 10)[0]
        for c in (1, 6, case.N)
    ]
    for xs in runs[1:]:
        np.testing.assert_allclose(xs, runs[0], rtol=1e-9)


def test_it_is_optax_adagrad_where_the_batch_is_fixed():
    ours = adadagrad_transform(0.1, batch=4, most=4, initial=0.1)
    theirs = optax.adagrad(0.1, initial_accumulator_value=0.1, eps=0.0)
    x = {"a": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
    mine, peer = ours.init(x), theirs.init(x)
    for i in range(5):
        g = jax.tree.map(lambda v: jnp.cos(v + i), x)  # noqa: B023
        seen = batches.moments(jax.tree.map(lambda v: v[None], g), np.array([True]))
        u, mine = ours.update(g, mine, x, moments=seen)
        w, peer = theirs.update(g, peer, x)
        for p, q in zip(jax.tree.leaves(u), jax.tree.leaves(w), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-12)


def test_the_size_asked_for_is_the_formula():
    rows = {"a": np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]])}
    seen = batches.moments(rows, np.ones(3, bool))
    for test in ("norm", "coordinate"):
        t = adadagrad_transform(1.0, batch=2, most=50, eta=0.1, test=test)
        state = t.update(seen.mean, t.init(seen.mean), moments=seen)[1]
        # variance 1, mean 2: 1 / (0.01 * 4); the silent coordinate asks for nothing.
        assert int(state.batch) == 25
    t = adadagrad_transform(1.0, batch=2, most=20, eta=0.1)
    assert int(t.update(seen.mean, t.init(seen.mean), moments=seen)[1].batch) == 20


def test_it_chains_in_optax():
    t = optax.chain(optax.scale(2.0), adadagrad_transform(0.1, batch=2, most=8))
    x = {"a": jnp.ones(2)}
    seen = batches.moments({"a": jnp.ones((3, 2))}, np.ones(3, bool))
    u, _ = t.update(seen.mean, t.init(x), x, moments=seen)
    want = -0.1 * 2 / np.sqrt(0.01 + 4)
    np.testing.assert_allclose(u["a"], want, rtol=1e-12)


def test_a_nan_keeps_the_size_and_ends_the_run():
    p = case.problem()
    state = adadagrad_transform(0.1, batch=4, most=40).init(case.X0)
    seen = batches.moments(np.full((4, 3), np.nan), np.ones(4, bool))
    t = adadagrad_transform(0.1, batch=4, most=40)
    assert int(t.update(seen.mean, state, moments=seen)[1].batch) == 4
    r = bn.solve(p, Adadagrad(1e308, case.N, batch=4), max_steps=10)
    assert r.status == "nonfinite"


def test_bad_settings_are_refused_with_the_cure():
    with pytest.raises(bn.Misuse, match="one of"):
        bn.solve(case.problem(), Adadagrad(0.1, 40, test="inner"))
    with pytest.raises(bn.Misuse, match="one term alone has no variance"):
        bn.solve(case.problem(), Adadagrad(0.1, 40, batch=1))
    with pytest.raises(bn.Misuse, match="1 <= batch <= 40"):
        bn.solve(case.problem(), Adadagrad(0.1, 41))
