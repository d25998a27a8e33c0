"""Second order: no saddle passes, and lower bounds are below the eigenvalue."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach.checks.second_order import SecondOrder, proved_lower_bound
from banach.core.point import Point
from banach.kinds.smooth.problem import Smooth
from banach.kinds.smooth.zoo import load


def certify(problem, x, **hyper):
    return judged(SecondOrder(**hyper), problem, Point(x))[0]


def test_cholesky_bound_is_below_the_eigenvalue_and_close():
    draw = np.random.default_rng(3)
    n = 6
    Hs = []
    for i in range(60):
        Q = np.linalg.qr(draw.normal(size=(n, n)))[0]
        values = draw.normal(size=n) * 10.0 ** draw.integers(-8, 3, n)
        H = Q * values @ Q.T * 10.0 ** (-9, 0, 9)[i % 3]
        Hs.append((H + H.T) / 2)
    Hs = np.stack(Hs)
    lower = jax.jit(jax.vmap(lambda H: proved_lower_bound(H, jnp.zeros(()))))(Hs)
    for H, s in zip(Hs, np.asarray(lower), strict=True):
        # An exact test: H - s I has a longdouble LDL' with positive pivots.
        A = H.astype(np.longdouble) - np.longdouble(s) * np.eye(n, dtype=np.longdouble)
        for k in range(n):
            assert A[k, k] > 0
            A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :]) / A[k, k]
        assert np.linalg.eigvalsh(H)[0] - s <= 1e-12 * np.linalg.norm(H)


def test_error_of_the_matrix_is_charged():
    H = np.diag([1.0, 2.0])
    assert 0.4 < float(proved_lower_bound(H, jnp.asarray(0.25))) < 0.75 + 1e-9
    assert float(proved_lower_bound(H * np.nan, jnp.asarray(0.0))) == -np.inf


@pytest.mark.parametrize("dense", [True, False])
def test_a_saddle_fails_and_a_minimiser_passes(dense):
    p = Smooth(lambda x: x[0] ** 2 - x[1] ** 2 + jnp.sum(x**4), np.ones(60))
    saddle = certify(p, np.zeros(60), dense=dense, steps=60)
    # First order sees nothing at all.
    assert float(saddle.parts[0].value) == 0
    assert not bool(saddle.within(1e-6))
    assert float(saddle.parts[1].value) >= 2
    q = Smooth(lambda x: jnp.sum(x**2 + x**4), np.ones(60))
    good = certify(q, np.zeros(60), dense=dense, steps=60)
    assert bool(good.within(1e-6))
    assert good.grade == ("residual" if dense else "statistical")
    assert float(good.delta) == (0 if dense else 0.01 / 2)


def test_the_monkey_saddle_is_second_order_stationary_and_never_called_optimal():
    cert = certify(load("monkey_saddle"), np.zeros(2))
    assert bool(cert.within(1e-6))
    assert "stationar" in cert.quantity and "f*" not in cert.quantity
    assert not bool(certify(load("monkey_saddle"), np.full(2, 1e-3)).within(1e-8))


def test_curvature_has_its_own_tolerance():
    # lambda_min = -1e-4: inside sqrt(1e-6) = 1e-3, outside 1e-5.
    p = Smooth(lambda x: 0.5 * x[0] ** 2 - 0.5e-4 * x[1] ** 2, np.ones(2))
    assert bool(certify(p, np.zeros(2)).within(1e-6))
    assert not bool(certify(p, np.zeros(2), curvature=1e-5).within(1e-6))


def test_too_few_lanczos_steps_say_nothing():
    p = Smooth(lambda x: jnp.sum(x**2), np.ones(60))
    cert = certify(p, np.zeros(60), dense=False, steps=4)
    assert float(cert.parts[1].value) == np.inf
    assert not bool(cert.within(1e3))


@pytest.mark.slow
def test_lanczos_bound_covers():
    n, delta, trials = 40, 0.1, 2000
    values = np.concatenate([[-0.05], np.linspace(0, 1, n - 1)])

    def lower(key):
        from banach.checks.lanczos import lanczos_lower_bound

        p = Smooth(lambda x: 0.5 * jnp.sum(jnp.asarray(values) * x**2), np.zeros(n))
        return lanczos_lower_bound(p, jnp.zeros(n), key, 12, jnp.asarray(delta))

    out = np.asarray(jax.vmap(lower)(jax.random.split(jax.random.key(1), trials)))
    assert np.all(np.isfinite(out))
    failures = np.sum(out > values[0])
    assert failures <= trials * delta + 3 * np.sqrt(trials * delta * (1 - delta))
    assert np.median(out) > -2
