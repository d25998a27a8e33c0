"""Elliptic energies: bounds above the truth, and every lie about mu or u is caught."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.elliptic import check
from banach.kinds.elliptic.check import NAME, EnergyDistance, EnergyGap

rng = np.random.default_rng(12)


def stated(load, lower=0.875):
    return bn.EllipticEnergy(
        lambda s: (s + jnp.log1p(s)) / 2,
        load,
        lower=lower,
        upper=2.0,
        potential=lambda u: u**2 / 2,
        curvature=(1.0, 1.0),
    )


@jax.jit
def newton(p):
    """The discrete minimiser, by Newton with dense Hessians."""

    def one(_, u):
        g = p.grad(u).ravel()
        return u - jnp.linalg.solve(p.hess(u), g).reshape(u.shape)

    return jax.lax.fori_loop(0, 40, one, jnp.zeros_like(p.load))


def look(p, u, check, dual=None):
    return judged(check, p, Point(u, dual))[0]


@pytest.mark.parametrize("shape", [(9,), (5, 5)])
def test_the_bounds_hold(shape):
    distance = jax.jit(lambda p, u: look(p, u, EnergyDistance()))
    gap = jax.jit(lambda p, u: look(p, u, EnergyGap()))
    for size in (1e-6, 1.0, 1e6):
        p = stated(jnp.asarray(size * rng.standard_normal(shape)))
        best = newton(p)
        scale = float(p.h1(best))
        for away in (0.0, 1e-12, 1e-6, 1e-2, 1.0):
            v = rng.standard_normal(shape)
            u = best + away * scale * v / float(p.h1(v))
            d, e = distance(p, u), gap(p, u)
            assert not bool(d.refuted() | e.refuted())
            assert d.grade == e.grade == "bound"
            part = d.parts[0]
            far = float(p.h1(u - best))
            # Newton's own rounding is the only slack on the side of the truth.
            assert far <= float(part.value + part.slack) * (1 + 1e-9) + 1e-13 * scale
            if away >= 1e-6:
                # The bound is not slack by more than the condition number.
                low, high = p.ellipticity(0)
                assert float(part.value) <= high / low * far * (1 + 1e-6)
            if away >= 1e-2:
                above = float(p.value(u) - p.value(best))
                assert above <= float(e.parts[0].value + e.parts[0].slack)


def test_an_inflated_mu_is_refuted_and_printed():
    load = rng.standard_normal((6, 6))
    honest, liar = stated(load), stated(load, lower=2.0)
    forged = eqx.tree_at(lambda p: p.lower, honest, np.asarray(8.75))
    for p in (liar, forged):
        c = look(p, np.asarray(newton(honest)), EnergyDistance())
        assert bool(c.refuted()) and c.parts[1].name == NAME
        assert "lower: declared" in c.assumes
    assert bn.solve(liar).status == "refuted"


def test_a_nonconvex_density_declared_elliptic_is_refuted():
    # A(s) = 2 sqrt(1 + s) / 2 - s / 4 bends the wrong way for large gradients.
    p = bn.EllipticEnergy(
        lambda s: jnp.sqrt(1 + s) - s / 4, 5 * np.ones((5, 5)), lower=0.4, upper=1.0
    )
    c = look(p, np.zeros((5, 5)), EnergyDistance())
    assert bool(c.refuted())


def test_the_pointwise_residual_is_not_what_is_judged():
    """A rough error has a huge L2 residual and a small H^-1 norm; the reverse for a
    smooth one: only the latter is the distance."""
    p = stated(np.zeros(63))
    x = np.arange(1, 64) / 64
    smooth, rough = np.sin(np.pi * x), np.sin(63 * np.pi * x)
    ratios = []
    for v in (smooth, rough):
        u = 1e-6 * v / float(p.h1(jnp.asarray(v)))
        value = float(look(p, u, EnergyDistance()).parts[0].value)
        low, high = p.ellipticity(0)
        assert 1e-6 <= value <= 1e-6 * high / low * (1 + 1e-9)
        ratios.append(value / float(np.linalg.norm(p.grad(u))))
    assert ratios[0] > 30 * ratios[1]


def test_the_manufactured_solution_is_not_a_certificate():
    def density(s):
        return (s + jnp.log1p(s)) / 2

    load, u = bn.manufactured(density, lambda x: jnp.prod(jnp.sin(np.pi * x)), 15)
    p = bn.EllipticEnergy(density, load, lower=0.875, upper=2.0)
    # The exact solution of the PDE is far from the discrete minimiser.
    assert not bool(look(p, u, EnergyDistance()).within(1e-4))


@pytest.mark.parametrize("check", [EnergyDistance(), EnergyGap()])
def test_generic_lies(check):
    load = rng.standard_normal((5, 5))
    p = stated(load)
    u = np.asarray(newton(p))
    assert bool(look(p, u, check).within(1e-9))
    assert not bool(look(p, u + 1e-2, check).within(1e-6))
    assert not bool(look(stated(load.T), u, check).within(1e-6))
    for bad in (np.nan, np.inf):
        v = u.copy()
        v[2, 2] = bad
        assert not bool(look(p, v, check).within(1e6))
    plain, offered = look(p, u, check), look(p, u, check, np.full((5, 5), np.nan))
    for a, b in zip(plain.parts, offered.parts, strict=True):
        assert float(a.value) == float(b.value) and float(a.slack) == float(b.slack)
    assert "check='stationarity'" in check.refuses(bn.Smooth(jnp.sum, np.ones(2)))


def test_rescaled_data_keep_the_ratio():
    load, v = rng.standard_normal((2, 5, 5))
    ratios = []
    for c in (1e-9, 1.0, 1e9):
        p = bn.EllipticEnergy(lambda s: s / 2, c * load, lower=1.0, upper=1.0)
        ratios.append(float(look(p, c * v, EnergyDistance()).ratio))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


def test_float32_is_judged_in_float64():
    p = stated(rng.standard_normal((5, 5)).astype(np.float32))
    r = bn.solve(p, tol=1e-4)
    assert r.certified and r.x.dtype == np.float32
    assert r.certificate.parts[0].value.dtype == np.float64


def test_a_sum_that_cancels_refutes_nothing():
    """A product of terms that are lost beside each other proves nothing."""
    p = stated(jnp.ones((9,)))
    d = jnp.ones((1, 9))
    need = float(0.875 * jnp.square(p.h1(d[0])))
    lost = jnp.where(jnp.arange(9) % 2 == 0, 1e17, -1e17) * (jnp.arange(9) < 8)
    for change, refuted in ((lost, False), (0 * lost + need / 90, True)):
        g = jnp.stack([jnp.zeros(9), change])
        said = float(check._refuted(p, d, g, jnp.zeros_like(g)))
        assert (said < 0) == refuted


def test_the_slack_has_room_for_the_rounding_of_what_is_bounded():
    p = stated(jnp.asarray(rng.standard_normal((5, 5))))
    u = newton(p) + 0.1
    unit = np.finfo(float).eps / 2
    for one in (EnergyDistance(), EnergyGap()):
        part = look(p, u, one).parts[0]
        assert unit * float(part.value) <= float(part.slack)
