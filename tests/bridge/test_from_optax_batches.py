"""Mini-batches for any optax transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import banach as bn

rng = np.random.default_rng(60)
X, W = rng.standard_normal((24, 3)), np.array([1.0, -2.0, 0.5])
Y = X @ W + 0.1 * rng.standard_normal(24)


def miss(w, d):
    return (d[0] @ w - d[1]) ** 2


def mean(**more):
    return bn.FiniteSum(miss, np.zeros(3), (X, Y), **more)


def sgd(**more):
    return bn.FromOptax(optax.sgd, learning_rate=0.05, **more)


def test_a_batch_of_all_terms_is_the_whole_gradient():
    whole = bn.solve(mean(), sgd(), max_steps=15, tol=1e-14)
    every = bn.solve(mean(), sgd(batch=24), max_steps=15, tol=1e-14)
    np.testing.assert_allclose(every.x, whole.x, rtol=1e-12)
    assert every.calls == {"stochastic_grad": 15 * 24}


def test_every_term_is_taken_once_a_pass_and_seeds_differ():
    """Of a linear sum the steps of a pass add up to four of the whole gradient."""
    linear = bn.FiniteSum(lambda w, d: d @ w, np.zeros(3), X)
    method, paths = sgd(batch=6), []
    with jax.enable_x64(True):
        for seed in (0, 1):
            key = jax.random.key(seed)
            state, path = method.init(linear, linear.start(), key), []
            for k in range(8):
                state = method.step(linear, state, jax.random.fold_in(key, k))
                path.append(np.asarray(state.x))
            paths.append(path)
    for path in paths:
        for passes in (1, 2):
            whole = -0.05 * 4 * passes * X.mean(0)
            np.testing.assert_allclose(path[4 * passes - 1], whole, rtol=1e-12)
    assert not np.allclose(paths[0][0], paths[1][0])


def test_train_mode_is_on_in_batches_and_off_without():
    seen = []

    def model(p, x, key):
        seen.append(key is not None)
        z = x @ p
        return z if key is None else z * jax.random.bernoulli(key, 0.5) * 2

    def trained(**more):
        fit = bn.Training(model, lambda z, t: (z - t) ** 2, jnp.zeros(3), X, Y)
        return bn.solve(fit, sgd(**more), max_steps=10, tol=1e-12).x

    assert not np.allclose(trained(batch=24), trained(), rtol=1e-3)
    assert True in seen and False in seen


def test_race_repeats_what_draws():
    race = bn.race(mean(), [sgd(), sgd(batch=6)], seeds=2, max_steps=60, tol=1e-2)
    runs = {
        bool(r.method.batch): len(g)
        for r, g in zip(race.runs, race.repeats, strict=True)
    }
    assert runs == {False: 1, True: 2}
    assert len({run["method"] for run in race.to_dict()["runs"]}) == 2
    # Of a class the card says it.
    known = mean(L=20.0)
    drawn = bn.race(known, [bn.Sgd], seeds=2, max_steps=60, tol=1e-2)
    assert [len(g) for g in drawn.repeats] == [2]


def test_what_has_no_terms_or_needs_the_whole_is_misuse():
    bowl = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(3))
    with pytest.raises(bn.Misuse, match="Smooth has none"):
        bn.solve(bowl, sgd(batch=2))
    with pytest.raises(bn.Misuse, match="1 <= batch <= 24"):
        bn.solve(mean(), sgd(batch=25))
    with pytest.raises(bn.Misuse, match="batch"):
        sgd(batch=0)
    with pytest.raises(bn.Misuse, match="line search"):
        bn.FromOptax(optax.lbfgs, oracle=optax.value_and_grad_from_state, batch=4)
    for asks in (optax.polyak_sgd, lambda: optax.chain(optax.polyak_sgd())):
        with pytest.raises(bn.Misuse, match="value of the whole sum.*drop batch="):
            bn.solve(mean(), bn.FromOptax(asks, batch=4))
    with pytest.raises(bn.Misuse, match="bn.FromOptax"):
        bn.solve(mean(), optax.adam(1e-2))


def test_predictions_of_a_network_and_a_start_that_nothing_improves():
    fit = bn.Training(
        lambda p, x: x @ p, lambda z, t: (z - t) ** 2, np.zeros(3, np.float32),
        X.astype(np.float32), Y.astype(np.float32),
    )  # fmt: skip
    result = bn.solve(fit, tol=1e-2)
    np.testing.assert_allclose(result.predict(X.astype(np.float32)), X @ result.x,
                               rtol=1e-4)  # fmt: skip
    wild = bn.solve(fit, bn.FromOptax(optax.sgd, learning_rate=1e3), max_steps=8)
    assert "no step improved on the start" in str(wild)
