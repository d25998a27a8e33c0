"""Schedules: linear decay is what alike norms give, and the bound is a bound."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference.refined_schedule import refined

import banach as bn
from banach.parts import schedules

RNG = np.random.default_rng(4)


def test_refinement_equals_the_transcription():
    for T in (2, 7, 60, 101):
        norms = np.exp(RNG.standard_normal(T))
        ours = schedules.refine_schedule(norms)
        np.testing.assert_allclose(ours, refined(norms), rtol=1e-9, atol=1e-12)
        traced = jax.jit(schedules.refine_schedule)(jnp.asarray(norms))
        np.testing.assert_allclose(traced, ours, rtol=1e-9, atol=1e-12)
        assert isinstance(ours, np.ndarray) and ours.max() == 1 and ours[-1] == 0


def test_alike_norms_give_linear_decay():
    eta = schedules.refine_schedule(np.full(50, 3.7))
    np.testing.assert_allclose(eta, np.arange(49, -1, -1) / 49, rtol=1e-12)


def test_growing_norms_give_a_warm_up_and_falling_ones_a_late_decay():
    t = np.arange(200)
    growing = schedules.refine_schedule(1 / (1 + 4 * np.exp(-t / 20)))
    falling = schedules.refine_schedule(np.exp(-t / 100))
    linear = schedules.refine_schedule(np.ones(200))
    # Large norms at the end: the step is largest early; small ones: late.
    assert np.argmax(growing) == 0
    assert np.argmax(falling) > 100
    peaked = schedules.refine_schedule(1 + 4 * np.exp(-t / 20))
    assert peaked[0] < 0.3 and np.argmax(peaked) > 10
    assert falling[150] > linear[150] / linear.max()


def test_the_order_of_adam_is_the_square_root_of_the_weights():
    norms = np.exp(RNG.standard_normal(40))
    one, two = (schedules.weights_of(norms, order) for order in (1, 2))
    np.testing.assert_allclose(one**2, two, rtol=1e-12)


def test_optax_takes_them():
    norms = np.exp(RNG.standard_normal(10))
    schedule = bn.refined_schedule(norms, 0.3)
    optimiser = optax.sgd(schedule)
    x = jnp.ones(2)
    state = optimiser.init(x)
    eta = bn.refine_schedule(norms)
    for k in range(12):
        u, state = optimiser.update(jnp.ones(2), state, x)
        np.testing.assert_allclose(u, -0.3 * eta[min(k, 9)], atol=1e-7)
    linear, peer = bn.linear_decay(0.3, 10), optax.linear_schedule(0.3, 0.0, 10)
    for k in (0, 3, 10, 15):
        assert float(linear(k)) == pytest.approx(float(peer(k)), abs=1e-7)


def test_the_bound_holds_for_the_last_iterate_of_subgradient_steps():
    """f(x) = |x|_1, steps from the weights: the right side is above the truth."""
    for weights in (np.ones(60), np.exp(RNG.standard_normal(60))):
        w = 0.1 * weights
        x, norms = RNG.standard_normal(5), []
        distance = np.linalg.norm(x)
        # The last step is 0: x_T is the point of the last gradient.
        for eta in schedules.steps_of(w):
            norms.append(np.linalg.norm(np.sign(x)))
            x = x - eta * np.sign(x)
        bound = bn.last_iterate_bound(np.array(norms), distance, w)
        assert np.abs(x).sum() <= bound
        assert bound < 50 * np.abs(x).sum() + 10
    best = schedules.weights_of(np.array(norms), width=0.0)
    scaled = best * distance / np.sqrt(np.sum(best**2 * np.array(norms) ** 2))
    others = [np.ones(60), np.arange(1, 61.0)]
    for other in others:
        other = other * distance / np.sqrt(np.sum(other**2 * np.array(norms) ** 2))
        assert bn.last_iterate_bound(np.array(norms), distance, scaled) <= (
            bn.last_iterate_bound(np.array(norms), distance, other) * (1 + 1e-12)
        )


def test_the_bound_for_the_last_iterate_by_hand():
    # 5^2 / (2 * 3) + (1^2 * 3^2 + 2^2 * 4^2) / (2 * 3)
    bound = bn.last_iterate_bound(np.array([3.0, 4.0]), 5.0, np.array([1.0, 2.0]))
    assert float(bound) == pytest.approx((25 + 9 + 64) / 6, rel=1e-15)


def test_a_norm_of_zero_is_the_smallest_and_not_infinite():
    eta = schedules.refine_schedule(np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]), width=0.0)
    assert np.isfinite(eta).all() and eta[:2].max() < 1e-6


@pytest.mark.parametrize(
    ("norms", "says"),
    [
        ([1.0], "at least two steps"),
        ([[1.0, 2.0]], "must have 1 axes"),
        ([1.0, -1.0], "must be nonnegative"),
        ([1.0, np.nan], "NaN or infinity"),
        ([0.0, 0.0], "are all 0"),
    ],
)
def test_bad_norms_are_refused(norms, says):
    with pytest.raises(bn.Misuse, match=says):
        bn.refine_schedule(np.array(norms))
    with pytest.raises(bn.Misuse, match="order is 2"):
        bn.refine_schedule(np.ones(3), order=3)
