"""Losses: derivatives, conjugate brackets against extended precision, extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core.problem import Misuse
from banach.kinds.glm.entropy import relative_entropy
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
)

LD = np.longdouble
N = 64


def log_ratio(a, b):
    """a log(a / b) with 0 log 0 = 0, in extended precision."""
    return np.where(a > 0, a * np.log(np.where(a > 0, a, 1) / b), LD(0))


def value_of(loss, z, y):
    """l(z, y) in extended precision, by the textbook formula."""
    z, y = LD(z), LD(y)
    if isinstance(loss, SquaredLoss):
        return (z - y) ** 2 / 2
    if isinstance(loss, HuberLoss):
        d, r = LD(loss.delta), abs(z - y)
        return np.where(r <= d, r**2 / 2, d * r - d**2 / 2)
    if isinstance(loss, SquaredHingeLoss):
        return np.maximum(1 - y * z, 0) ** 2 / 2
    if isinstance(loss, LogisticLoss):
        return np.log1p(np.exp(-abs(y * z))) + np.maximum(-y * z, 0)
    return np.exp(z) - y * z + log_ratio(y, LD(1)) - y


def conjugate_of(loss, th, y):
    """l*(-th) in extended precision, th in the domain."""
    th, y = LD(th), LD(y)
    if isinstance(loss, SquaredLoss | HuberLoss):
        return th**2 / 2 - th * y
    if isinstance(loss, SquaredHingeLoss):
        return (y * th) ** 2 / 2 - y * th
    if isinstance(loss, LogisticLoss):
        a = y * th
        return log_ratio(a, LD(1)) + log_ratio(1 - a, LD(1))
    q = y - th
    return log_ratio(q, LD(1)) - q - (log_ratio(y, LD(1)) - y)


def samples(loss, seed=0):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=N)
    if isinstance(loss, LogisticLoss | SquaredHingeLoss):
        return z, np.where(rng.uniform(size=N) < 0.5, -1.0, 1.0)
    if isinstance(loss, PoissonLoss):
        return z, rng.poisson(2.0, size=N).astype(float)
    return z, rng.normal(size=N)


SCALAR = [
    SquaredLoss(),
    HuberLoss(0.7),
    SquaredHingeLoss(),
    LogisticLoss(),
    PoissonLoss(),
]
IDS = [type(v).__name__ for v in SCALAR]
each = pytest.mark.parametrize("loss", SCALAR, ids=IDS)


@each
def test_value_derivative_and_curvature(loss):
    z, y = samples(loss)
    h = LD(1e-6)
    assert np.allclose(loss.value(z, y), value_of(loss, z, y), rtol=1e-14, atol=1e-15)
    slope = (value_of(loss, z + h, y) - value_of(loss, z - h, y)) / (2 * h)
    assert np.allclose(loss.derivative(z, y), slope.astype(float), atol=1e-8)
    bend = jax.vmap(jax.grad(lambda z, y: loss.derivative(z, y)))(
        jnp.asarray(z), jnp.asarray(y)
    )
    assert np.allclose(loss.curvature(z, y), bend, rtol=1e-12)
    assert np.all(loss.value(z, y) >= 0)
    if loss.curvature_bound is not None:
        assert np.max(loss.curvature(z, y)) <= loss.curvature_bound


@pytest.mark.parametrize(
    "loss", [LogisticLoss(), PoissonLoss()], ids=["Logistic", "Poisson"]
)
def test_the_curvature_at_zero_is_not_lost_to_a_branch(loss):
    """A sigmoid written with a select has derivative 0 at 0, where runs start."""
    y = jnp.ones(1)
    bend = jax.jvp(lambda z: loss.derivative(z, y), (jnp.zeros(1),), (jnp.ones(1),))[1]
    assert bend[0] == loss.curvature(jnp.zeros(1), y)[0] > 0.2


@pytest.mark.parametrize(
    "loss", [LogisticLoss(), PoissonLoss()], ids=["Logistic", "Poisson"]
)
def test_self_concordance_bounds_the_third_derivative(loss):
    z, y = samples(loss)
    third = jax.vmap(jax.grad(lambda z, y: loss.curvature(z, y)))(
        jnp.asarray(z), jnp.asarray(y)
    )
    limit = loss.self_concordance * loss.curvature(z, y) * (1 + 1e-12)
    assert np.all(np.abs(third) <= limit)


@each
@pytest.mark.parametrize("mix", [0.0, 1e-9, 1e-4, 0.3, 1.0])
def test_bracket_encloses_the_naive_one_in_extended_precision(loss, mix):
    """th between -l'(z) and a point of the domain; at mix = 0 the bracket is 0."""
    z, y = samples(loss)
    rng = np.random.default_rng(1)
    other = loss.repair(3 * rng.normal(size=N), y)
    th = np.asarray(loss.repair((mix - 1) * loss.derivative(z, y) + mix * other, y))
    value, slack = (np.asarray(v) for v in loss.fenchel_young(z, th, y, 0 * z))
    truth = value_of(loss, z, y) + conjugate_of(loss, th, y) + LD(th) * LD(z)
    eps = 1e-17 * (1 + abs(truth) + abs(th * z) + value_of(loss, z, y) + 4 * abs(y))
    assert np.all(abs(LD(value) - truth) <= slack + eps)
    assert np.all(slack <= 1e-12 * (1 + value + abs(z) + abs(y)) * (1 + np.exp(z)))
    if mix == 0:
        assert np.all(value <= 1e-15 * (1 + abs(y)) ** 2)


@each
def test_bracket_covers_an_error_of_z(loss):
    z, y = samples(loss)
    rng = np.random.default_rng(2)
    th = np.asarray(loss.repair(-loss.derivative(z, y) + 0.1 * rng.normal(size=N), y))
    for e in (1e-10, 1e-3, 0.5):
        value, slack = loss.fenchel_young(z, th, y, np.full(N, e))
        for sign in (-1, 1):
            z1 = LD(z) + sign * LD(e)
            truth = value_of(loss, z1, y) + conjugate_of(loss, th, y) + LD(th) * z1
            assert np.all(
                truth
                <= LD(np.asarray(value))
                + LD(np.asarray(slack))
                + LD(1e-17) * (1 + abs(truth))
            )


@each
def test_conjugate_is_the_supremum_by_brute_force(loss):
    z, y = samples(loss)
    th = np.asarray(loss.repair(np.random.default_rng(3).normal(size=N), y))
    grid = np.linspace(-60, 60, 120_001)[:, None]
    best = np.max(-th * grid - value_of(loss, grid, y).astype(float), axis=0)
    value, _ = loss.fenchel_young(z, th, y, 0 * z)
    naive = value_of(loss, z, y).astype(float) + best + th * z
    assert np.all(naive <= value + 1e-9)
    assert np.all(naive >= value - 1e-5)


@each
def test_repaired_duals_are_in_the_domain_and_balance_to_zero(loss):
    _, y = samples(loss)
    rng = np.random.default_rng(4)
    w = rng.uniform(0.1, 2, N)
    th = loss.balance(loss.repair(3 * rng.normal(size=N), y), w)
    again = np.asarray(loss.repair(th, y))
    assert np.allclose(again, th, rtol=0, atol=1e-15)
    assert abs(w @ again) <= 1e-13 * (w @ abs(again))


@pytest.mark.parametrize(
    "loss", [LogisticLoss(), PoissonLoss()], ids=["Logistic", "Poisson"]
)
@pytest.mark.parametrize("z", [-800.0, -40.0, 0.0, 40.0, 800.0])
@pytest.mark.parametrize("scale", [1.0, 1 - 1e-9, 0.5])
def test_extreme_margins_give_no_nan_and_nothing_negative(loss, z, scale):
    z, y = jnp.full(1, z), jnp.ones(1)
    th = loss.repair(-scale * loss.derivative(z, y), y)
    value, slack = loss.fenchel_young(z, th, y, 1e-13 * abs(z))
    assert not jnp.isnan(value[0]) and value[0] >= -slack[0]
    if scale == 1.0 and jnp.isfinite(value[0]):
        assert value[0] <= 1e-15


def test_relative_entropy_is_accurate_over_all_ratios():
    q = np.exp(np.random.default_rng(5).uniform(-30, 3, 4000))
    t = np.concatenate([np.logspace(-12, 6, 2000), -np.logspace(-12, -1e-9, 2000)])
    p = q * (1 + t)
    d = p - q
    got = np.asarray(relative_entropy(q, p, d))
    ql, dl = LD(q), LD(p) - LD(q)
    series = sum((-1) ** k * (dl / ql) ** k / k for k in range(2, 9))
    truth = np.where(abs(t) < 1e-3, ql * series, dl - ql * np.log1p(dl / ql))
    assert np.all(abs(got - truth) <= 2e-14 * truth + 64 * 1.2e-16 * abs(dl) + 1e-30)
    assert np.all(got >= 0)


def test_softmax_bracket_is_the_relative_entropy_of_the_normalised_dual():
    loss, k = SoftmaxLoss(4), 4
    rng = np.random.default_rng(6)
    z, y = 3 * rng.normal(size=(N, k)), rng.integers(0, k, N)
    for mix in (0.0, 1e-8, 0.2, 1.0):
        other = rng.dirichlet(np.ones(k), size=N)
        p = np.asarray(jax.nn.softmax(z, axis=-1))
        th = np.eye(k)[y] - ((1 - mix) * p + mix * other)
        th = np.asarray(loss.repair(th, y)) * (1.0 if mix < 1 else 0.7)
        value, slack = loss.fenchel_young(z, th, y, np.zeros((N, k)))
        q = LD(np.eye(k)[y]) - LD(th)
        q = q / q.sum(axis=1, keepdims=True)
        s = LD(z) - LD(z).max(axis=1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        truth = np.sum(q * (np.log(q) - logp), axis=1)
        assert np.all(abs(LD(value) - truth) <= LD(slack) + 1e-18)
        assert np.all(slack <= 1e-12)
        off = abs((np.eye(k)[y] - th) - q.astype(float))
        assert np.all(off <= loss.dual_error(th, y) + 1e-17)
        e = np.full((N, k), 1e-3)
        moved, rough = loss.fenchel_young(z, th, y, e)
        z1 = z + e * rng.choice([-1, 1], size=(N, k))
        far, _ = loss.fenchel_young(z1, th, y, 0 * e)
        assert np.all(far <= moved + rough)


def test_softmax_derivatives_are_those_of_the_value():
    loss = SoftmaxLoss(3)
    rng = np.random.default_rng(7)
    z, y, v = (
        rng.normal(size=(5, 3)),
        np.array([0, 1, 2, 0, 1]),
        rng.normal(size=(5, 3)),
    )
    total = lambda z: jnp.sum(loss.value(z, y))  # noqa: E731
    grad = jax.grad(total)
    assert np.allclose(loss.derivative(z, y), grad(z), atol=1e-15)
    bend = jax.jvp(grad, (jnp.asarray(z),), (jnp.asarray(v),))[1]
    assert np.allclose(loss.curve(z, y, v), bend, atol=1e-15)


def test_huber_needs_a_positive_delta():
    with pytest.raises(Misuse, match="positive"):
        HuberLoss(0.0)


def test_a_dual_of_no_class_is_repaired_to_the_label():
    """Where onehot(y) - th has no positive entry there is no q to divide."""
    y = jnp.array([0, 2])
    th = jnp.stack([jnp.array([1.0, 0.0, 0.0]), jnp.array([2.0, 1.0, 1.0])])
    assert np.all(np.asarray(SoftmaxLoss(3).repair(th, y)) == 0)
