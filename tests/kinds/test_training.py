"""Training: modes, held-out rows, predictions, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.kinds.training.problem import Training

RNG = np.random.default_rng(2)
N = 14
U = RNG.standard_normal((N, 4))
LABELS = np.arange(N) % 3
HELD = (RNG.standard_normal((9, 4)), np.arange(9) % 3)
PARAMS = {"W": RNG.standard_normal((4, 3)), "b": np.zeros(3)}


def model(params, x, key):
    if key is not None:
        x = x * jax.random.bernoulli(key, 0.5, x.shape) / 0.5
    return x @ params["W"] + params["b"]


def cross_entropy(z, label):
    return jax.nn.logsumexp(z) - z[label]


def problem(**options):
    settings = dict(l2=0.1, held_out=HELD) | options
    return Training(model, cross_entropy, PARAMS, U, LABELS, **settings)


def objective(params=PARAMS):
    z = U @ params["W"] + params["b"]
    loss = np.log(np.exp(z).sum(1)) - z[np.arange(N), LABELS]
    return loss.mean() + 0.05 * sum(np.sum(v**2) for v in params.values())


def test_the_objective_is_eval_mode_on_all_examples():
    p = problem()
    assert float(p.value(PARAMS)) == pytest.approx(objective(), rel=1e-13)
    assert p.n == N and p.size() == 15 and "eval mode" in p.formula()
    g, count = p.every_term(PARAMS)
    assert float(count) == N
    h = 1e-6
    moved = {"W": PARAMS["W"] + h * np.eye(4, 3), "b": PARAMS["b"]}
    slope = (objective(moved) - objective()) / h
    assert float(jnp.sum(g["W"] * np.eye(4, 3))) == pytest.approx(slope, rel=1e-5)


def test_stochastic_gradients_are_train_mode_only_with_a_key():
    p, index = problem(), np.arange(N)
    still = p.stochastic_grad(PARAMS, index)
    np.testing.assert_allclose(still["W"], p.grad(PARAMS)["W"], rtol=1e-12)
    keys = jax.random.split(jax.random.key(0), 4000)
    random = jax.vmap(lambda k: p.stochastic_grad(PARAMS, index, None, k)["b"])(keys)
    assert np.std(np.asarray(random), axis=0).min() > 1e-3
    mask = np.ones(N, bool)
    seen = p.gradient_moments(PARAMS, index, mask, keys[0])
    np.testing.assert_allclose(seen.mean["b"], random[0], rtol=1e-10)


def test_predictions_and_errors_of_held_out_rows():
    p = problem()
    z = HELD[0] @ PARAMS["W"] + PARAMS["b"]
    np.testing.assert_allclose(p.predict(PARAMS, p.held_out[0]), z, rtol=1e-12)
    wrong = (z.argmax(1) != HELD[1]).astype(float)
    np.testing.assert_array_equal(p.misclassified(PARAMS, p.held_out), wrong)
    loss = np.log(np.exp(z).sum(1)) - z[np.arange(9), HELD[1]]
    np.testing.assert_allclose(p.losses(PARAMS, p.held_out), loss, rtol=1e-12)


def test_it_is_a_finite_sum_and_nothing_is_claimed_convex():
    p = problem()
    assert p.as_finite_sum().n == N
    assert p.facts().table() == {"smooth": (True, "by construction")}
    assert p.reference_point() is None and p.default_check() == "full_sum"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"held_out": HELD[0]}, "pair"),
        ({"held_out": (HELD[0][:, :3], HELD[1])}, "row shapes"),
        ({"held_out": (HELD[0], HELD[1][:4])}, "rows"),
        ({"held_out": (np.full((9, 4), np.nan), HELD[1])}, "NaN"),
        ({"l2": -0.1}, "l2 must be"),
    ],
)
def test_bad_options_are_refused(change, says):
    with pytest.raises(bn.Misuse, match=says):
        problem(**change)


def test_bad_models_losses_and_data_are_refused():
    with pytest.raises(bn.Misuse, match="needs a model to call"):
        Training(PARAMS, cross_entropy, PARAMS, U, LABELS)
    with pytest.raises(bn.Misuse, match="one scalar"):
        Training(model, lambda z, y: z, PARAMS, U, LABELS)
    with pytest.raises(bn.Misuse, match=r"of inputs and targets have \[5, 14\] rows"):
        Training(model, cross_entropy, PARAMS, U, LABELS[:5])
    with pytest.raises(bn.Misuse, match=r"^inputs holds NaN"):
        Training(model, cross_entropy, PARAMS, inputs=U * np.nan, targets=LABELS)


def test_a_model_without_randomness_need_not_take_a_key():
    def predict(p, x):
        return p["w"] @ x + p["b"]

    start = {"w": np.zeros((1, 2)), "b": np.zeros(1)}
    x = np.random.default_rng(5).normal(size=(12, 2))
    y = x @ np.array([[1.0], [-2.0]])
    plain, keyed = (
        bn.Training(model, lambda z, t: jnp.sum((z - t) ** 2), start, x, y)
        for model in (predict, lambda p, x, key: predict(p, x))
    )
    point = {"w": np.ones((1, 2)), "b": np.ones(1)}
    assert float(plain.value(point)) == float(keyed.value(point))
    with pytest.raises(bn.Misuse, match=r"this one takes \(p\); close over"):
        bn.Training(lambda p: p, lambda z, t: 0.0, start, x, y)


def test_a_chain_of_optax_is_asked_for_as_a_function():
    optax = pytest.importorskip("optax")
    with pytest.raises(bn.Misuse, match="lambda: optax.chain"):
        bn.FromOptax(optax.chain(optax.sgd(0.1)))
    method = bn.FromOptax(lambda: optax.chain(optax.clip(1.0), optax.sgd(0.1)))
    problem = bn.Smooth(lambda x: jnp.sum((x - 1) ** 2), np.zeros(2))
    assert bn.solve(problem, method).certified
