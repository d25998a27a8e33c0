"""KKT parts: sound against rational arithmetic, and every known lie fails."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.checks.kkt import KKT
from banach.core.point import Point
from banach.problems.constrained import Constrained

TOL = 1e-6


def certify(problem, x, dual=None, **hyper):
    dual = None if dual is None else np.asarray(dual, float)
    at = Point(np.asarray(x, float), dual)
    return KKT(**hyper)(problem, at, jax.random.key(0), 0)


def parts(problem, x, dual=None):
    cert, _ = certify(problem, x, dual)
    return {p.name: p for p in cert.parts}


def circle(scale=1.0, row=1.0, reference=(1.0, 1.0)):
    """min x + y on the unit circle: x = y = -1/sqrt(2), lam = 1/sqrt(2) / row."""
    return Constrained(
        lambda x, s, row: s * (x[0] + x[1]),
        np.ones(2),
        (np.array(scale), np.array(row)),
        eq=lambda x, s, row: row * (x @ x - 1),
        reference=None if reference is None else np.array(reference),
    )


BEST = np.full(2, -(0.5**0.5))


def box():
    """min |x - 2|^2, sum x = 1, x_0 <= 0.1, x <= 0.6: x = (.1, .45, .45)."""
    return Constrained(
        lambda x: jnp.sum((x - 2) ** 2),
        np.zeros(3),
        eq=lambda x: jnp.sum(x) - 1,
        ineq=lambda x: x[0] - 0.1,
        upper=0.6,
        reference=np.zeros(3),
    )


BOX = np.array([0.1, 0.45, 0.45])
BOX_DUAL = np.array([3.1, 0.7])


def exact(v):
    return np.vectorize(Fraction, otypes=[object])(np.asarray(v, float))


def test_sound_at_all_scales_and_offsets():
    rng = np.random.default_rng(0)
    for scale in (1e-9, 1.0, 1e9):
        for offset in (0.0, 1e6):
            H, A = rng.standard_normal((3, 3)) * scale, rng.standard_normal((2, 3))
            x, lam = rng.standard_normal(3) + offset, rng.standard_normal(2) * scale
            d = A @ x
            p = Constrained(
                lambda x, H, A, d: x @ H @ x,
                x,
                (H, A, d),
                eq=lambda x, H, A, d: (A @ x - d)[:1],
                ineq=lambda x, H, A, d: (A @ x - d)[1:] * 1.0,
            )
            found = parts(p, x, lam)
            eH, eA, ex = exact(H), exact(A), exact(x)
            c = eA @ ex - exact(d)
            # Whichever multipliers were chosen, they come back with the point.
            _, at = certify(p, x, lam)
            el = exact(at.dual)
            g = (eH + eH.T) @ ex + el @ eA
            truth = {
                "Lagrangian gradient": sum(v * v for v in g),
                "equations": c[0] ** 2,
                "inequalities": max(c[1], 0) ** 2,
                "complementarity": (el[1] * c[1]) ** 2,
                "multiplier growth": max(el * el * abs(c)) ** 2,
            }
            for name, square in truth.items():
                part = found[name]
                claim = Fraction(float(part.value)) + Fraction(float(part.slack))
                assert claim**2 >= square, name
            size = scale * (1 + offset)
            assert float(found["Lagrangian gradient"].slack) <= 1e-13 * size
            assert float(found["equations"].slack) <= 1e-13 * (1 + offset)


def test_solutions_pass_with_and_without_an_offer():
    for problem, x, dual in ((circle(), BEST, [0.5**0.5]), (box(), BOX, BOX_DUAL)):
        for offer in (None, dual):
            cert, at = certify(problem, x, offer)
            assert bool(cert.within(1e-9)) and cert.grade == "residual"
            np.testing.assert_allclose(at.dual, dual, rtol=1e-6)
            assert int(cert.witness) in (0, 1)
        far, _ = certify(problem, x + 1e-3)
        assert not bool(far.within(TOL))


@pytest.mark.parametrize("offer", [[np.nan, 1.0], [np.inf, 0.0], [1.0], [[1.0, 2.0]]])
def test_a_garbage_witness_equals_none(offer):
    none, _ = certify(box(), BOX)
    cert, at = certify(box(), BOX, offer)
    assert int(cert.witness) == 0 and np.isfinite(at.dual).all()
    for p, q in zip(cert.parts, none.parts, strict=True):
        assert float(p.value) == float(q.value)


def test_forged_multipliers_only_lose_to_the_fitted_ones():
    none, _ = certify(box(), BOX + 1e-3)
    forged, _ = certify(box(), BOX + 1e-3, [-7.0, 1e9])
    assert float(forged.ratio) == float(none.ratio) and int(forged.witness) == 0


def test_the_sign_of_multipliers_is_enforced():
    # The maximiser of -x over x <= 1 reached from the wrong side: lam = -1.
    p = Constrained(lambda x: x[0], np.zeros(1), ineq=lambda x: x[0] - 1)
    cert, at = certify(p, [1.0], [-1.0])
    assert not bool(cert.within(TOL)) and float(at.dual[0]) >= 0
    assert float(cert.ratio) == pytest.approx(1.0)


def test_no_multiplier_where_the_constraint_gradient_vanishes():
    """x^2 <= 0: all of KKT but the multipliers' growth holds as well as one likes."""
    p = Constrained(
        lambda x: x[0], np.ones(1), ineq=lambda x: x[0] ** 2, reference=np.ones(1)
    )
    for t in (1e-6, 1e-9, 1e-12):
        found = parts(p, [-t], [1 / (2 * t)])
        small = [v for k, v in found.items() if k != "multiplier growth"]
        assert all(float(v.value) <= t for v in small)
        assert float(found["multiplier growth"].value) > 0.1
        assert not bool(certify(p, [-t], [1 / (2 * t)])[0].within(TOL))
    assert not bool(certify(p, [0.0])[0].within(TOL))


def test_fritz_john_points_fail():
    """Two circles that touch at 0, the only feasible point: gradients dependent."""

    def eq(x):
        return jnp.stack([(x[0] - 1) ** 2 + x[1] ** 2 - 1,
                          (x[0] + 1) ** 2 + x[1] ** 2 - 1])  # fmt: skip

    p = Constrained(lambda x: x[1], np.ones(2), eq=eq, reference=np.ones(2))
    for x in ([0.0, 0.0], [0.0, -1e-5], [1e-12, -1e-8]):
        assert not bool(certify(p, x)[0].within(TOL))
    # A cusp, y^2 <= x^3, minimising x: the point slides in from the feasible side.
    cusp = Constrained(
        lambda x: x[0], np.ones(2), ineq=lambda x: x[1] ** 2 - x[0] ** 3,
        reference=np.ones(2),
    )  # fmt: skip
    for t in (0.0, 1e-4, 1e-8):
        assert not bool(certify(cusp, [t, 0.0])[0].within(TOL))


def test_infeasible_stationary_points_fail():
    p = Constrained(
        lambda x: x @ x, np.ones(2), eq=lambda x: x @ x + 1, reference=np.ones(2)
    )
    found = parts(p, [0.0, 0.0])
    assert float(found["equations"].value) >= 0.1
    assert float(found["Lagrangian gradient"].value) == 0


def test_row_scaling_does_not_hide_a_violation():
    x = BEST * 1.001
    base = parts(circle(), x)
    for row in (1e-9, 1e9):
        found = parts(circle(row=row), x)
        for name in base:
            ratio = [float(f[name].value / f[name].scale) for f in (base, found)]
            assert ratio[1] == pytest.approx(ratio[0], rel=1e-6)
    # Without a reference the units of the rows are the user's own.
    small = parts(circle(row=1e-9, reference=None), x)
    assert float(small["equations"].scale) == 1.0
    assert float(small["equations"].value) == pytest.approx(2e-12, rel=1e-2)


def test_scaling_f_changes_nothing():
    x = BEST + np.array([1e-4, 0])
    ratios = [float(certify(circle(scale=s), x)[0].ratio) for s in (1.0, 1e-9, 1e9)]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)


def test_swapped_data_and_undefined_points_fail():
    assert not bool(certify(circle(), BOX[:2])[0].within(TOL))
    p = Constrained(
        lambda x: jnp.sqrt(x[0]), np.ones(2), eq=lambda x: x[1], reference=np.ones(2)
    )
    cert, _ = certify(p, [-1.0, 0.0])
    assert np.isnan(float(cert.parts[0].value)) and not bool(cert.within(1e3))


def test_the_point_is_clipped_and_that_one_is_returned():
    _, at = certify(box(), BOX + np.array([0, 0.5, 0]))
    np.testing.assert_array_equal(at.x, [0.1, 0.6, 0.45])


def test_a_screen_spares_the_slack_only():
    for x in (BOX, BOX + 0.01):
        full, fast = certify(box(), x)[0], certify(box(), x, screen=TOL)[0]
        assert bool(full.within(TOL)) == bool(fast.within(TOL))
        assert float(full.value) == float(fast.value)


def test_float32_points_are_judged_in_float64():
    x0 = np.ones(2, np.float32)
    p = Constrained(lambda x: jnp.sum(x), x0, eq=lambda x: x @ x - 1)
    at = Point(BEST.astype(np.float32))
    cert, kept = KKT()(p, at, jax.random.key(0), 0)
    assert cert.parts[0].value.dtype == np.float64
    assert kept.x.dtype == kept.dual.dtype == np.float32
    wide = BEST.astype(np.float32).astype(float)
    assert float(cert.parts[1].value) == pytest.approx(abs(wide @ wide - 1), rel=1e-9)


def test_other_kinds_are_refused_and_the_norm_of_the_multipliers_is_printed():
    smooth = bn.Smooth(lambda x: x @ x, np.ones(2))
    assert "stationarity" in KKT().refuses(smooth)
    r = bn.solve(circle(row=0.1))
    line = next(v for v in str(r).splitlines() if "multipliers" in v and "||" in v)
    assert "7.07" in line
    assert r.to_dict()["dual_norm"] == pytest.approx(7.071, rel=1e-3)
