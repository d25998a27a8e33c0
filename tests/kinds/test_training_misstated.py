"""Training: networks of libraries, models of batches, and labels that do not fit."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import banach as bn
from banach.core.problem import Misuse

X = np.sin(np.arange(60.0)).reshape(12, 5)
LABELS = np.arange(12) % 3
W = np.zeros((5, 3))
BY_LABEL = optax.softmax_cross_entropy_with_integer_labels
NET = eqx.nn.MLP(5, 3, 4, 1, key=jax.random.key(0))
WEIGHTS, STATIC = eqx.partition(NET, eqx.is_inexact_array)


def linear(p, x):
    return x @ p


def whole(p, x):
    return p(x)


def crossed(z, t):
    return optax.softmax_cross_entropy(z, t)


def refusal(model=linear, loss=BY_LABEL, params=W, targets=LABELS):
    with pytest.raises(Misuse) as error:
        bn.Training(model, loss, params, X, targets)
    return str(error.value)


@pytest.mark.parametrize(
    ("model", "params", "says"),
    [
        (NET, W, "model MLP is an Equinox module.*eqx.combine"),
        (whole, NET, "leaves that are no numbers.*eqx.partition"),
        (whole, WEIGHTS, "filtered out.*eqx.combine"),
        (jax.vmap(linear, (None, 0)), W, r"takes a batch.*shape \(5,\); drop"),
        (lambda p, x: jax.nn.softmax(x @ p, 1), W, "takes a batch"),
        (lambda p, x: (x @ p, p), W, "returns 2 things.*return it alone"),
        (lambda p, x: x @ p - jax.lax.pmean(x @ p, "b"), W, "group normalisation"),
        (lambda p, state, x, key: x @ p, W, r"takes \(p, state, x, key\); close over"),
        (linear, {"params": W, "batch_stats": W}, "keep the statistics in the model"),
    ],
)
def test_networks_that_are_not_of_one_example(model, params, says):
    with pytest.raises(Misuse, match=says):
        bn.Training(model, BY_LABEL, params, X, LABELS)


def test_a_layer_with_a_state():
    norm, _ = eqx.nn.make_with_state(eqx.nn.BatchNorm)(5, "batch", mode="batch")
    assert "a layer with a state" in refusal(whole, params=norm)


def test_a_parted_network_trains():
    net = bn.Training(
        lambda p, x: eqx.combine(p, STATIC)(x), BY_LABEL, WEIGHTS, X, LABELS
    )
    assert net.size() == 5 * 4 + 4 + 4 * 3 + 3


@pytest.mark.parametrize(
    ("loss", "targets", "cure"),
    [
        (BY_LABEL, LABELS.astype(float), "targets.astype(int)"),
        (BY_LABEL, np.eye(3)[LABELS], "np.argmax(targets, axis=-1)"),
        (BY_LABEL, LABELS[:, None], "targets[..., 0]"),
        (BY_LABEL, LABELS[:, None] * 1.0, "targets[..., 0].astype(int)"),
        (lambda z, t: z @ t, LABELS, "np.eye(3)[targets]"),
    ],
)
def test_targets_of_another_form(loss, targets, cure):
    assert refusal(loss=loss, targets=targets).endswith(f"pass {cure}")


@pytest.mark.parametrize(("shift", "label"), [(1, 3), (-1, -1)])
@pytest.mark.parametrize("loss", [BY_LABEL, lambda z, t: -jax.nn.log_softmax(z)[t]])
def test_labels_that_no_output_has(loss, shift, label):
    said = refusal(loss=loss, targets=LABELS + shift)
    assert f"label {label}, and the model has 3 outputs" in said


def test_labels_that_a_loss_leaves_out_or_counts_with_are_fine():
    def masked(z, t):
        return jnp.where(t < 0, 0.0, BY_LABEL(z, jnp.maximum(t, 0)))

    def normal(z, t):
        return z[1] + (t - z[0]) ** 2 * jnp.exp(-2 * z[1]) / 2

    for loss, targets in ((masked, LABELS - 1), (normal, 10 * LABELS)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert bn.Training(linear, loss, W, X, targets).n == 12


def test_labels_in_the_place_of_one_hot_rows_are_told():
    with pytest.warns(UserWarning, match=r"np.eye\(3\)\[targets\]") as told:
        bn.Training(linear, crossed, W, X, LABELS)
    assert told[0].filename == __file__
