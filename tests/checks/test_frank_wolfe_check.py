"""The Frank-Wolfe gap: sound, refuted or repaired outside, honest if nonconvex."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach.checks.frank_wolfe import FrankWolfeGap
from banach.core.point import Point
from banach.kinds.composite.problem import Composite
from banach.kinds.smooth.problem import Smooth
from banach.terms.sets import Box, L1Ball, L2Ball, Nonnegative, Simplex


def f(x, c, scale, offset):
    return scale * (0.5 * jnp.sum((x - c) ** 2)) + offset


def stated(term, c, scale=1.0, offset=0.0, convex=True):
    return Composite(
        Smooth(f, np.zeros(4), (c, scale, offset), convex=convex), term, np.zeros(4)
    )


def certify(problem, x):
    return judged(FrankWolfeGap(), problem, Point(x))


@pytest.mark.parametrize("term", [Simplex(), Box(-0.5, 1.0), L1Ball(1.0), L2Ball(1.0)])
def test_bounds_the_gap_of_a_projection(term):
    # min ||x - c||^2/2 over C is at the projection of c.
    draw = np.random.default_rng(2)
    cs = draw.normal(size=(24, 4))
    scales = 10.0 ** draw.choice([-9, 0, 9], 24)
    best = np.stack([np.asarray(term.project(c)) for c in cs])
    shift = draw.normal(size=(24, 4)) * 10.0 ** draw.integers(-12, 0, (24, 1))
    xs = np.stack([np.asarray(term.project(v)) for v in best + shift])
    xs[:6] = best[:6]
    run = jax.jit(jax.vmap(lambda c, s, x: certify(stated(term, c, s, 1e6 * s), x)))
    cert, after = run(cs, scales, xs)
    wide = np.longdouble
    for i in range(24):
        x = np.asarray(after.x[i], wide)
        d, b = x - cs[i].astype(wide), best[i].astype(wide) - cs[i].astype(wide)
        truth = wide(scales[i]) * ((d @ d) - (b @ b)) / 2
        claim = wide(cert.parts[0].value[i]) + wide(cert.parts[0].slack[i])
        # The rounded projection misses C by an ulp or so, to first order in f.
        assert claim >= truth - wide(scales[i]) * wide(1e-18)
        assert float(cert.parts[0].slack[i]) < 1e-12 * scales[i]


def test_ratio_is_free_of_offset_and_factor():
    c, x = np.array([0.4, 0.1, -0.2, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    ratios = [
        float(certify(stated(Simplex(), c, s, k), x)[0].ratio)
        for s, k in ((1.0, 0.0), (1e-9, 0.0), (1e9, 0.0), (1.0, 1e6))
    ]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


def test_a_point_outside_is_projected_and_that_point_returned():
    # <g, x - v> at x off the simplex goes far below zero: it must not certify.
    c = np.array([1000.0, 0.0, 0.0, 0.0])
    x = np.array([1.001, 0.0, 0.0, 0.0])
    p = stated(Simplex(), c)
    cert, after = certify(p, x)
    assert float(p.term.violation(after.x)) < 1e-15
    np.testing.assert_allclose(after.x, [1.0, 0, 0, 0], atol=1e-15)
    assert float(cert.value) >= 0
    far, _ = certify(p, np.array([-5.0, 6.0, 0.0, 0.0]))
    assert not bool(far.within(1e-2))


def test_nonconvex_is_a_residual_and_convex_names_the_fact():
    x = np.full(4, 0.25)
    c = np.zeros(4)
    convex, _ = certify(stated(Simplex(), c + 1), x)
    assert convex.grade == "bound" and convex.assumes == ("convex: declared",)
    plain, _ = certify(stated(Simplex(), c + 1, convex=False), x)
    assert plain.grade == "residual" and "f*" not in plain.quantity
    assert len(plain.parts) == 1


def test_nonconvex_declared_convex_is_refuted():
    f = Smooth(lambda x: -jnp.sum(x**2), np.zeros(2), convex=True)
    p = Composite(f, Box(-1.0, 1.0))
    # A strict local maximiser has gap 0.
    cert, _ = certify(p, np.zeros(2))
    assert float(cert.parts[0].value) == 0
    assert bool(cert.refuted()) and not bool(cert.within(1.0))


def test_unbounded_sets_are_refused():
    p = Composite(lambda x: jnp.sum(x**2), Nonnegative(), np.ones(2), convex=True)
    assert "check='step'" in FrankWolfeGap().refuses(p)
