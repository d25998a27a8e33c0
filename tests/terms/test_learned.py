"""Learned proximal networks: an exact prox, the prior behind it, and its training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import compat
from banach.terms.learned import LearnedProx

D, UNITS = 3, 6


@pytest.fixture(autouse=True)
def in_double():
    with compat.double():
        yield


def drawn(d=D, units=UNITS, seed=0):
    """Two layers of random weights, in units of 0.7."""
    rng = np.random.default_rng(seed)
    return LearnedProx(
        tuple(rng.standard_normal((2, units, d))),
        tuple(rng.standard_normal((2, units))),
        (rng.random((units, units)) / 2,),
        rng.random(units),
        rng.standard_normal(d) / 3,
        0.05,
        beta=3.0,
        unit=0.7,
    )


R = drawn()
PROX, VALUE = jax.jit(lambda v, t: R.prox(v, t)), jax.jit(lambda x: R.value(x))


def test_the_jacobian_is_symmetric_and_positive_definite():
    for v in np.random.default_rng(1).standard_normal((4, D)) * [[0.1], [1], [4], [30]]:
        J = np.asarray(jax.jacfwd(R.denoise)(v))
        np.testing.assert_allclose(J, J.T, atol=1e-14)
        assert np.linalg.eigvalsh(J)[0] >= 0.05 - 1e-14
    with pytest.raises(bn.Misuse, match="nonnegative"):
        LearnedProx(R.inputs, R.shifts, (-R.hidden[0],), R.out, R.slope, 0.1)
    with pytest.raises(bn.Misuse, match="shapes"):
        LearnedProx(R.inputs, R.shifts, (), R.out, R.slope, 0.1)


def test_the_prior_meets_fenchels_equality():
    """R(x) + |x|^2 / 2 + psi(v) = <x, v> at x = f(v), and is more everywhere else."""
    rng = np.random.default_rng(2)
    for v in 3 * rng.standard_normal((4, D)):
        x = np.asarray(R.denoise(v))
        left = VALUE(x) + x @ x / 2 + R.psi(v)
        assert float(left - x @ v) == pytest.approx(0, abs=1e-12)
        other = x + rng.standard_normal(D)
        assert VALUE(other) + other @ other / 2 + R.psi(v) > other @ v


@pytest.mark.parametrize("t", [0.02, 0.4, 1.0])
def test_the_prox_is_the_minimiser(t):
    """Against 300 points, by its subgradient, and in its derivative."""
    rng = np.random.default_rng(3)
    v = 3 * rng.standard_normal(D)
    x = np.asarray(PROX(v, t))
    slope = jax.grad(lambda u: R.value(u))(x)
    np.testing.assert_allclose((v - x) / t, slope, rtol=1e-10, atol=1e-12)
    near = x + rng.standard_normal((300, D)) * 10.0 ** rng.uniform(-4, 1, (300, 1))
    total = jax.vmap(R.value)(near) + np.sum((near - v) ** 2, axis=1) / (2 * t)
    assert np.all(total > VALUE(x) + (x - v) @ (x - v) / (2 * t))
    e, h = np.array([0.6, -0.8, 0.1]), 1e-5
    found = jax.jvp(lambda u: R.prox(u, t), (v,), (e,))[1]
    want = (PROX(v + h * e, t) - PROX(v - h * e, t)) / (2 * h)
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-8)
    assert np.all(np.isnan(PROX(v, 1.01)))


def test_plug_and_play_descends_and_is_certified():
    """x+ = f(x - A'(A x - b)): proximal gradient of step 1, on |A x - b|^2 / 2 + R."""
    rng = np.random.default_rng(4)
    A, b = rng.standard_normal((2, D)), rng.standard_normal(2)
    A = A / np.linalg.norm(A, 2) * 0.9
    problem = bn.Composite(
        lambda x, A, b: jnp.sum((A @ x - b) ** 2) / 2, R, np.zeros(D), (A, b), L=1.0
    )
    x, values = np.zeros(D), []
    for _ in range(40):
        values.append(float(problem.objective(x)))
        x = np.asarray(R.denoise(x - A.T @ (A @ x - b)))
    assert np.all(np.diff(values) <= 1e-14) and values[-1] < values[0]
    seen = bn.solve(problem, bn.ProximalGradient(1.0), tol=1e-9)
    assert seen.certified and not problem.facts().has("convex")
    own = bn.solve(problem, tol=1e-9)
    assert own.certified
    np.testing.assert_allclose(own.x, seen.x, atol=1e-6)


@pytest.mark.slow
def test_matching_finds_the_mode_and_the_log_prior():
    """Laplace samples, b = noise = 1: the prox of |x|, not the mean nor the median."""
    samples = np.random.default_rng(5).laplace(size=(20000, 1))
    Y = np.linspace(-3, 3, 121)[:, None]
    want = np.sign(Y) * np.maximum(np.abs(Y) - 1, 0)
    size = dict(units=16, layers=1, steps=500)
    nets = {k: bn.learned_prox(samples, 1.0, loss=k, **size)
            for k in ("matching", "l1", "l2")}  # fmt: skip
    off = {k: np.abs(jax.vmap(n.denoise)(Y) - want).max() for k, n in nets.items()}
    assert off["matching"] < 0.25 < 0.35 < off["l1"] < off["l2"]
    x = np.linspace(-2, 2, 21)[:, None]
    prior = np.asarray(jax.jit(jax.vmap(nets["matching"].value))(x)) - np.abs(x[:, 0])
    assert np.ptp(prior) < 0.2
