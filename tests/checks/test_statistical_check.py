"""Statistical checks: coverage under the worst stopping rule, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.checks.statistical import HeldOutRisk, MeanCheck, empirical_bernstein
from banach.core.point import Point
from banach.problems.smooth import Smooth

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
