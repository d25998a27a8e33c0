"""EllipticEnergy: bad input, oracles against NumPy, constants, manufactured loads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import at_once

import banach as bn

rng = np.random.default_rng(8)


def half(s):
    return s / 2


def stated(load=None, **change):
    facts = {"lower": 1.0, "upper": 1.0} | change
    density = facts.pop("density", half)
    return bn.EllipticEnergy(density, np.ones(5) if load is None else load, **facts)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: stated(np.ones((3, 4))), "inner node"),
        (lambda: stated(np.ones((3, 3, 3))), "inner node"),
        (lambda: stated(np.array([1.0, np.nan])), "NaN"),
        (lambda: stated(lower=None), "positive number"),
        (lambda: stated(lower=0.0), "positive"),
        (lambda: stated(lower=2.0), "lower <= upper"),
        (lambda: stated(potential=lambda u: u**2), "curvature"),
        (lambda: stated(potential=jnp.sin, curvature=(1.0, -1.0)), "m <= M"),
        (lambda: stated(potential=lambda u: -50 * u**2, curvature=(-100.0, 0.0)),
         "nonconvex"),
        (lambda: stated(density=jnp.sum), "entry by entry"),
        (lambda: stated(potential=jnp.sum, curvature=(0.0, 0.0)), "entry by entry"),
        (lambda: stated(x0=np.zeros(4)), "x0"),
    ],
)  # fmt: skip
def test_bad_input_is_misuse_with_the_cure(build, words):
    with pytest.raises(bn.Misuse, match=words):
        build()


@pytest.mark.parametrize("shape", [(6,), (5, 5)])
def test_a_quadratic_energy_is_the_five_point_laplacian(shape):
    n, d = shape[0], len(shape)
    load = rng.standard_normal(shape)
    p = stated(load)
    T = (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)) * (n + 1) ** 2
    K = T if d == 1 else np.kron(T, np.eye(n)) + np.kron(np.eye(n), T)
    K = K * (n + 1.0) ** -d
    u, v = rng.standard_normal((2, *shape))
    b = load.ravel() * (n + 1.0) ** -d
    energy = u.ravel() @ K @ u.ravel() / 2 - b @ u.ravel()
    shifts = 0.0, 1.0, 7.5

    def oracles(u, v):
        riesz = [p.riesz(v, shift) for shift in shifts]
        return p.value(u), p.grad(u), p.hess(u), p.stiffness(v), p.h1(v), riesz

    value, g, H, stiff, h1, riesz = at_once(oracles, u, v)
    assert float(value) == pytest.approx(energy, rel=1e-12)
    np.testing.assert_allclose(g.ravel(), K @ u.ravel() - b, atol=1e-12)
    np.testing.assert_allclose(H, K, atol=1e-12)
    np.testing.assert_allclose(stiff.ravel(), K @ v.ravel(), atol=1e-12)
    assert float(h1) == pytest.approx(np.sqrt(v.ravel() @ K @ v.ravel()))
    M = np.eye(n**d) * (n + 1.0) ** -d
    for shift, found in zip(shifts, riesz, strict=True):
        want = np.linalg.solve(K + shift * M, v.ravel())
        np.testing.assert_allclose(found.ravel(), want, rtol=1e-11)
    values = np.linalg.eigvalsh(K)
    assert p.poincare() == pytest.approx(values[0] * (n + 1.0) ** d, rel=1e-12)
    assert float(p.facts().mu) <= values[0] and float(p.facts().L) >= values[-1]


@pytest.mark.parametrize("shape", [(6,), (4, 4)])
def test_the_declared_constants_bound_the_hessian(shape):
    """-div((1 + 1/(1+|p|^2)) p) + u: Hessian between the constants at random u."""
    p = bn.EllipticEnergy(
        lambda s: (s + jnp.log1p(s)) / 2,
        rng.standard_normal(shape),
        lower=0.875,
        upper=2.0,
        potential=lambda u: u**2 / 2,
        curvature=(1.0, 1.0),
    )
    n = p.size()
    eye = np.eye(n).reshape(n, *shape)
    K = np.asarray(jax.vmap(p.stiffness)(eye)).reshape(n, n)
    for shift in (0.0, 1.0):
        low, high = p.ellipticity(shift)
        metric = np.linalg.cholesky(K + shift * p.cell() * np.eye(n))
        for size in (0.01, 0.3, 3.0):
            H = np.asarray(p.hess(size * rng.standard_normal(shape)))
            half = np.linalg.solve(metric, np.linalg.solve(metric, H).T)
            values = np.linalg.eigvalsh((half + half.T) / 2)
            assert low * (1 - 1e-9) <= values[0] <= values[-1] <= high * (1 + 1e-9)


def test_constants_are_double_precision_whoever_asks():
    p = stated(lower=0.1, upper=0.3)
    assert np.asarray(p.facts().get("lower")).dtype == np.float64
    assert float(p.ellipticity(0)[0]) == 0.1


def test_a_manufactured_load_converges_with_the_grid():
    """P1 elements: the H1 error of the nodal values falls at least like h."""

    def density(s):
        return (s + jnp.log1p(s)) / 2

    def exact(x):
        return jnp.prod(jnp.sin(np.pi * x))

    errors = []
    for n in (7, 15, 31):
        load, u = bn.manufactured(density, exact, n)
        p = bn.EllipticEnergy(density, load, lower=0.875, upper=2.0)
        r = bn.solve(p, tol=1e-9)
        assert r.certified
        errors.append(float(p.h1(jnp.asarray(r.x - u))))
        # The certificate speaks of the discrete problem, not of this error.
        assert float(r.certificate.value) < 1e-4 * errors[-1]
    assert errors[0] > 1.9 * errors[1] > 1.9**2 * errors[2]


def test_sensitivity_to_the_load_is_a_linear_solve():
    p = stated(rng.standard_normal(6))
    r = bn.solve(p, tol=1e-10)
    w = rng.standard_normal(6)
    s = bn.sensitivity(r, w)
    want = p.cell() * np.asarray(p.riesz(jnp.asarray(w)))
    np.testing.assert_allclose(s.gradient.load, want, rtol=1e-9)


def test_many_loads_have_a_verdict_each():
    problems = [stated(k * rng.standard_normal(6)) for k in (1.0, 10.0, 100.0)]
    assert all(r.certified for r in bn.solve_many(problems))
