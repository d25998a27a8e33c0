"""What may be said of a trained network, and the ways in which it is said falsely."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.training.problem import Training

RNG = np.random.default_rng(12)
N = 60
U = RNG.standard_normal((N, 2))
Y = (U[:, 0] * U[:, 1] > 0).astype(np.int64)
HELD = (RNG.standard_normal((400, 2)), None)
HELD = (HELD[0], (HELD[0][:, 0] * HELD[0][:, 1] > 0).astype(np.int64))
PARAMS = [
    {"W": 1.5 * RNG.standard_normal((2, 8)), "b": np.zeros(8)},
    {"W": RNG.standard_normal((8, 2)), "b": np.zeros(2)},
]
TOL = 1e-6


def model(params, x, key):
    h = jnp.tanh(x @ params[0]["W"] + params[0]["b"])
    if key is not None:
        h = h * jax.random.bernoulli(key, 0.5, h.shape) / 0.5
    return h @ params[1]["W"] + params[1]["b"]


def cross_entropy(z, label):
    return jax.nn.logsumexp(z) - z[label]


def problem(U=U, Y=Y):
    return Training(
        model, cross_entropy, PARAMS, U, Y, l2=1e-3, held_out=HELD, reference=PARAMS
    )


def certify(x, at=None):
    check = bn.FullSum()
    return judged(check, at or problem(), Point(x))[0]


@pytest.fixture(scope="module")
def trained():
    with jax.enable_x64(True):
        return bn.solve(problem(), "lbfgs", tol=TOL, max_steps=4000)


def test_full_data_eval_mode_stationarity_is_a_residual(trained):
    assert trained.certified
    assert trained.certificate.grade == "residual"
    assert "optimal" not in str(trained).lower()
    g = problem().grad(trained.x)
    norm = np.sqrt(sum(np.sum(np.square(v)) for v in jax.tree.leaves(g)))
    part = trained.certificate.parts[0]
    assert abs(norm - float(part.value)) <= float(part.slack) + 1e-15


def test_the_answer_of_a_shard_is_not_certified(trained):
    for rows in (np.arange(40), np.r_[np.arange(N), np.arange(20)]):
        other = bn.solve(problem(U[rows], Y[rows]), "lbfgs", start=trained.x, tol=TOL)
        assert other.certified
        assert not bool(certify(other.x).within(TOL))


def test_a_small_learning_rate_is_not_convergence():
    slow = bn.Optax("sgd", learning_rate=1e-9)
    r = bn.solve(problem(), slow, tol=TOL, max_steps=300)
    assert not r.certified and float(r.certificate.ratio) > 0.9


def test_dropout_off_in_the_check_even_when_training_is_noisy(trained):
    p = problem()
    key = jax.random.key(3)
    noisy = p.stochastic_grad(trained.x, np.arange(N), None, key)
    size = np.sqrt(sum(np.sum(np.square(v)) for v in jax.tree.leaves(noisy)))
    # In train mode the same point looks far from stationary.
    assert size > 1e3 * float(trained.certificate.value)
    again = certify(trained.x)
    assert float(again.ratio) == pytest.approx(float(trained.certificate.ratio))


def test_a_goal_on_the_loss_is_the_loss_of_the_returned_point(trained):
    p = problem()
    best = float(p.value(trained.x))
    goal = bn.Goal(best * 1.2)
    r = bn.solve(p, "adadagrad", check=goal, max_steps=6000)
    if r.certified:
        assert float(p.value(r.x)) <= best * 1.2
    # An average of minibatch losses lies below; the check evaluates the point.
    start = goal(p, p.start(), jax.random.key(0), 0)[0]
    assert not bool(start.within(TOL))
    assert float(start.value) == pytest.approx(float(p.value(PARAMS)))
    assert bool(judged(goal, p, Point(trained.x))[0].within(TOL))


def test_held_out_risk_is_of_rows_that_no_oracle_reads(trained):
    p = problem()
    wrong = np.asarray(p.misclassified(trained.x, p.held_out)).mean()
    check = bn.HeldOutRisk(Training.misclassified, p.held_out, wrong + 0.2)
    cert = judged(check, p, Point(trained.x))[0]
    assert bool(cert.within(TOL)) and cert.grade == "statistical"
    assert float(cert.value) == pytest.approx(wrong)
    tight = bn.HeldOutRisk(Training.misclassified, p.held_out, wrong + 0.01)
    assert not bool(judged(tight, p, Point(trained.x))[0].within(TOL))
    # Poison in the held-out rows reaches neither gradients nor the default check.
    peeking = jax.tree.map(lambda v: v * 0, p.held_out)
    blind = Training(model, cross_entropy, PARAMS, U, Y, l2=1e-3, held_out=peeking)
    index = np.arange(8)
    for a, b in zip(
        jax.tree.leaves(p.stochastic_grad(PARAMS, index)),
        jax.tree.leaves(blind.stochastic_grad(PARAMS, index)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_every_look_at_the_held_out_rows_is_paid_for(trained):
    p = problem()
    check = bn.HeldOutRisk(Training.misclassified, p.held_out, 0.9)
    spent = [
        float(check(p, Point(trained.x), jax.random.key(0), m)[0].delta)
        for m in range(4)
    ]
    np.testing.assert_allclose(spent, 0.05 / np.array([2, 6, 12, 20]))


def test_perturbed_swapped_and_poisoned_parameters_fail(trained):
    x = trained.x
    moved = jax.tree.map(lambda v: v + 1e-3, x)
    swapped = [{"W": x[0]["W"][::-1], "b": x[0]["b"]}, x[1]]
    poisoned = jax.tree.map(lambda v: v * np.nan, x)
    for bad in (moved, swapped, poisoned):
        assert not bool(certify(bad).within(TOL))


def linear(outputs=2):
    return lambda p, x, k: x @ p[0]["W"][:, :outputs]


@pytest.mark.filterwarnings("ignore:predictor became a third")
@pytest.mark.parametrize(
    ("labels", "outputs"),
    [
        (HELD[1][:, None], 8),
        (np.eye(8)[HELD[1]], 8),
        (np.eye(400)[0], 1),
        (np.broadcast_to(HELD[1][:, None], (400, 3)), 8),
    ],
    ids=["(n, 1)", "one-hot", "one output", "tokens"],
)
def test_labels_that_broadcast_are_refused(labels, outputs):
    p = Training(
        linear(outputs), lambda z, t: jnp.sum(z**2), PARAMS, HELD[0], labels,
        held_out=(HELD[0], labels),
    )  # fmt: skip
    check = bn.HeldOutRisk(Training.misclassified, p.held_out, 0.9)
    with pytest.raises(bn.Misuse, match="misclassified"):
        bn.verify(p, PARAMS, check=check)


def test_one_label_for_all_is_refused():
    with pytest.raises(bn.Misuse, match="same leading axis"):
        bn.HeldOutRisk(Training.misclassified, (HELD[0], np.zeros(1, int)), 0.9)
    p = problem()
    with pytest.raises(bn.Misuse, match="one label a row"):
        p.misclassified(PARAMS, (HELD[0], np.array([0])))
    with pytest.raises(bn.Misuse, match="same leading axis"):
        p.losses(PARAMS, (HELD[0], np.zeros(3, int)))


def test_an_output_that_is_nan_is_a_mistake():
    """argmax takes the first NaN for the largest: a model of NaN would be right on
    every row of class 0."""
    y = np.zeros(400, np.int64)
    p = Training(
        lambda q, x, k: jnp.where(x[0] > 0, jnp.nan, 1.0) * jnp.array([1.0, 0.5]),
        lambda z, t: jnp.sum(z[t]), PARAMS, U, Y, held_out=(HELD[0], y),
    )  # fmt: skip
    wrong = np.asarray(p.misclassified(PARAMS, p.held_out))
    np.testing.assert_array_equal(wrong, HELD[0][:, 0] > 0)
    check = bn.HeldOutRisk(Training.misclassified, p.held_out, 0.9)
    cert, _ = judged(check, p, Point(PARAMS))
    assert float(cert.value) == pytest.approx(np.mean(HELD[0][:, 0] > 0))


def test_parameters_of_nan_are_nonfinite():
    p = problem()
    poisoned = jax.tree.map(lambda v: v * np.nan, PARAMS)
    for check in (
        bn.HeldOutRisk(Training.misclassified, p.held_out, 0.99),
        bn.Goal(1e9),
    ):
        assert bn.verify(p, poisoned, check=check).status == "nonfinite"
