"""Statistical checks: coverage under the worst stopping rule, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.checks.statistical import HeldOutRisk, MeanCheck, empirical_bernstein
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.smooth.problem import Smooth

P = Smooth(lambda x: jnp.sum(x**2), np.zeros(1))


def coin(problem, x, key, n):
    """Bernoulli(x) losses."""
    return jax.random.bernoulli(key, x[0], (n,)).astype(x.dtype)


def test_bernstein_formula():
    got = float(empirical_bernstein(0.04, 101, 2.0, 0.05))
    log = np.log(40.0)
    assert got == pytest.approx(np.sqrt(0.08 * log / 101) + 14 * log / 300)


@pytest.mark.parametrize(
    ("p", "target", "passes"), [(0.1, 0.3, True), (0.5, 0.3, False)]
)
def test_a_clear_mean_is_decided(p, target, passes):
    check = MeanCheck(coin, target, batch=32, epochs=8)
    cert, _ = check(P, Point(jnp.asarray([p])), jax.random.key(0), 0)
    assert bool(cert.within(1e-6)) == passes
    assert cert.grade == "statistical"
    if passes:
        assert int(cert.look) == 1 and float(cert.delta) == pytest.approx(0.025)
        assert float(cert.value) == pytest.approx(p, abs=0.1)
        assert float(cert.target) == target
    else:
        # The screen said no: nothing is spent.
        assert int(cert.look) == 0 and float(cert.delta) == 0


def test_levels_sum_to_delta():
    check = MeanCheck(coin, 0.9, batch=8, epochs=1)
    spent, look = [], 0
    for _ in range(5):
        cert, _ = check(P, Point(jnp.asarray([0.1])), jax.random.key(0), look)
        look = int(cert.look)
        spent.append(float(cert.delta))
    np.testing.assert_allclose(spent, [0.05 / (m * (m + 1)) for m in range(1, 6)])


@pytest.mark.slow
def test_coverage_when_trying_until_it_passes():
    # The true mean is just above the target; try 40 looks, stop at the first pass.
    delta, trials, looks = 0.2, 2000, 40
    check = MeanCheck(coin, 0.2, delta=delta, batch=16, epochs=5)
    point = Point(jnp.asarray([0.2 + 1e-9]))

    def lane(key):
        def step(carry, _):
            look, done = carry
            cert, _ = check(P, point, key, look)
            # A skipped look reuses its key: move on, as a run's points would.
            look = jnp.maximum(cert.look, look + 1)
            return (look, done | cert.within(1e-6)), None

        start = (jnp.asarray(0, jnp.int32), jnp.asarray(False))
        return jax.lax.scan(step, start, length=looks)[0][1]

    out = jax.jit(jax.vmap(lane))(jax.random.split(jax.random.key(5), trials))
    failures = int(np.sum(np.asarray(out)))
    assert failures <= trials * delta + 3 * np.sqrt(trials * delta * (1 - delta))


def test_terms_outside_their_declared_range_never_certify():
    check = MeanCheck(lambda p, x, k, n: -jnp.ones(n, x.dtype), 0.5)
    cert, _ = check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)
    assert not bool(cert.within(1e6))


def test_held_out_risk_spends_on_every_look():
    draw = np.random.default_rng(0)
    rows = (draw.random(4000) < 0.1).astype(float)
    check = HeldOutRisk(lambda p, x, d: d, rows, 0.15)
    radii = []
    for look in (0, 1, 10):
        cert, _ = check(P, Point(jnp.zeros(1)), jax.random.key(0), look)
        assert int(cert.look) == look + 1
        assert float(cert.value) == pytest.approx(rows.mean(), abs=1e-12)
        radii.append(float(cert.slack))
        assert bool(cert.within(1e-6))
    assert radii[0] < radii[1] < radii[2]
    strict = HeldOutRisk(lambda p, x, d: d, rows, float(rows.mean()) + 1e-3)
    assert not bool(strict(P, Point(jnp.zeros(1)), jax.random.key(0), 0)[0].within(1.0))


def wrong_shape(shape):
    return lambda p, x, d: jnp.zeros(shape) + 0 * jnp.sum(x)


ROWS = np.arange(12.0) / 20
SHAPES = {
    "(n, 1)": (12, 1), "(n, n)": (12, 12), "one": (), "tokens": (36,), "(1,)": (1,),
    "(1, n)": (1, 12),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_held_out_losses_are_one_number_a_row(name):
    check = HeldOutRisk(wrong_shape(SHAPES[name]), ROWS, 0.9)
    said = check.refuses(P)
    assert "one real number for each of 12" in said and "(n, 1)" in said
    with pytest.raises(Misuse, match="shape"):
        check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)


@pytest.mark.parametrize("shape", [(8, 1), (), (7,), (8, 8), (1,)])
def test_draws_are_one_number_a_draw(shape):
    check = MeanCheck(lambda p, x, k, n: jnp.zeros(shape), 0.5, batch=8)
    assert "one real number for each of 8" in check.refuses(P)
    with pytest.raises(Misuse, match="shape"):
        check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)


def test_complex_losses_and_pairs_are_refused():
    for losses in (
        lambda p, x, d: d * 1j,
        lambda p, x, d: (d, d),
        lambda p, x, d: d @ np.zeros((5, 5)),
        lambda p, x, d: np.asarray(d),
    ):
        assert HeldOutRisk(losses, ROWS, 0.9).refuses(P)
    assert HeldOutRisk(lambda p, x, d: d > 0.3, ROWS, 0.9).refuses(P) is None


def test_a_mean_over_a_broadcast_axis_counts_each_row_once():
    """The shape is right, the comparison is of all rows with all labels: alone, a row
    meets its own label only."""
    guess = np.zeros(1000, int)
    labels = np.ones((1000, 1), int)
    labels[::2] = 0

    def sloppy(p, x, data):
        return jnp.mean(data[0] != data[1], axis=-1) + 0 * x[0]

    check = HeldOutRisk(sloppy, (guess, labels), 0.9)
    assert check.refuses(P) is None
    cert, _ = check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)
    own = np.mean(guess != labels[:, 0])
    assert float(cert.value) == pytest.approx(own, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_that_is_nan_is_the_worst_loss(dtype):
    rows = np.full(400, 0.25)
    rows[:40] = 3.0  # the loss of these rows is the logarithm of a negative number
    x = jnp.zeros(1, dtype)
    p = Smooth(lambda x: jnp.sum(x**2), np.zeros(1, dtype))

    def losses(p, x, d):
        return 0.5 * jnp.sqrt(1 - d)

    check = HeldOutRisk(losses, rows, 0.9, low=-0.5, high=2.0)
    cert, _ = check(p, Point(x), jax.random.key(0), 0)
    told = 0.9 * 0.5 * np.sqrt(0.75) + 0.1 * 2.0
    assert float(cert.value) == pytest.approx(told, rel=1e-6)
    # A draw that is not a number counts the same.
    drawn = MeanCheck(lambda p, x, k, n: jnp.full(n, jnp.nan), 0.5, batch=8)
    cert, _ = drawn(P, Point(jnp.zeros(1)), jax.random.key(0), 0)
    assert float(cert.value) == 1.0 and not bool(cert.within(1e-6))


def test_a_loss_outside_its_range_voids_the_bound():
    for bad in (1.5, -0.1, np.inf):
        rows = np.full(4000, 0.1)
        rows[7] = bad if np.isfinite(bad) else 1e9
        losses = lambda p, x, d: jnp.where(d > 1e8, jnp.inf, d)  # noqa: E731
        check = HeldOutRisk(losses, rows, 0.5)
        cert, _ = check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)
        assert np.isinf(float(cert.slack)) and not bool(cert.within(1e6))
        assert np.isfinite(float(cert.value))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_have_no_risk(bad):
    at = Point(jnp.asarray([bad]))
    held = HeldOutRisk(lambda p, x, d: 0 * d, ROWS, 0.9)
    mean = MeanCheck(lambda p, x, k, n: jnp.zeros(n), 0.5, batch=8)
    for check in (held, mean):
        cert, _ = check(P, at, jax.random.key(0), 0)
        assert np.isnan(float(cert.value)) and not bool(cert.within(1e6))


def test_means_near_a_large_number_lose_nothing_to_rounding():
    """Losses in [1e8, 1e8 + 1]: the sum of the losses alone would lose 1e-6 of them."""
    rows = 1e8 + (np.arange(5000) % 4 == 0)
    check = HeldOutRisk(lambda p, x, d: d, rows, 1e8 + 0.5, low=1e8, high=1e8 + 1)
    cert, _ = check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)
    assert float(cert.value - cert.target) == pytest.approx(-0.25, abs=3e-8)
    assert bool(cert.within(1e-6)) and 0.02 < float(cert.slack) < 0.1


def held(**hyper):
    return HeldOutRisk(lambda p, x, d: d, **{"data": ROWS, "target": 0.5} | hyper)


def mean(**hyper):
    return MeanCheck(coin, **{"target": 0.5} | hyper)


@pytest.mark.parametrize("build", [held, mean])
@pytest.mark.parametrize(
    "hyper",
    [
        {"delta": 0.0}, {"delta": 1.0}, {"delta": -0.1}, {"delta": 7.0},
        {"delta": np.nan}, {"delta": None}, {"delta": "small"}, {"delta": True},
        {"target": np.nan}, {"target": 1.2}, {"target": 0.0}, {"target": -1.0},
        {"target": None}, {"target": [0.1, 0.2]}, {"target": 0.3j},
        {"low": 1.0}, {"low": 2.0, "high": 1.0}, {"high": np.inf}, {"low": "0"},
    ],
    ids=str,
)  # fmt: skip
def test_levels_targets_and_ranges_are_read_at_the_door(build, hyper):
    with pytest.raises(Misuse):
        build(**hyper)


@pytest.mark.parametrize(
    "data",
    [
        [0.1, 0.2], 0.3, np.float64(0.3), np.zeros(1), np.zeros((0, 2)), None,
        (np.zeros(5), np.zeros(4)), (np.zeros(5), np.zeros(())),
        np.zeros(5) * 1j, np.array(["a", "b"]), np.ma.masked_equal(np.arange(4.0), 2),
        np.array([0.1, np.nan]),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_held_out_data_are_rows(data):
    with pytest.raises(Misuse):
        held(data=data)


@pytest.mark.parametrize(
    "hyper",
    [
        {"batch": 1},
        {"batch": 2.5},
        {"epochs": 0},
        {"epochs": True},
        {"batch": 2**20, "epochs": 20},
    ],
)
def test_sizes_of_a_sample_are_read_at_the_door(hyper):
    with pytest.raises(Misuse):
        mean(**hyper)


def test_a_screen_that_sees_the_target_itself_spends_a_confirmation():
    """The target is met by equality: who says no there would never look again."""
    check = MeanCheck(lambda p, x, k, n: jnp.full(n, 0.5), 0.5, batch=8, epochs=1)
    cert, _ = check(P, Point(jnp.zeros(1)), jax.random.key(0), 0)
    assert int(cert.look) == 1 and float(cert.delta) == pytest.approx(0.025)
    assert not bool(cert.within(1e-6))
