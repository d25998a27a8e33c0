"""KKT parts: sound against rational arithmetic, and every known lie fails."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.constrained.check import KKT
from banach.kinds.constrained.problem import Constrained

TOL = 1e-6


def certify(problem, x, dual=None, **hyper):
    dual = None if dual is None else np.asarray(dual, float)
    at = Point(np.asarray(x, float), dual)
    return judged(KKT(**hyper), problem, at)


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


def repeated(copies, factors, reference=True):
    """min |x - 2|^2 over x_0 <= 0.1, x_1 + x_2 <= 1, x_2 >= -3, rows as asked for."""
    order = np.repeat(np.arange(3), copies)
    factors = np.broadcast_to(factors, order.shape)
    A = np.array([[1.0, 0, 0], [0, 1, 1], [0, 0, -1]])[order] * factors[:, None]
    b = np.array([0.1, 1.0, 3.0])[order] * factors
    return Constrained(
        lambda x, A, b: jnp.sum((x - 2) ** 2), np.zeros(3), (A, b),
        ineq=lambda x, A, b: A @ x - b, reference=np.zeros(3) if reference else None,
    )  # fmt: skip


@pytest.mark.parametrize("reference", [True, False])
def test_no_verdict_sees_copies_or_units_of_a_row(reference):
    best = np.array([0.1, 0.5, 0.5])
    factors = 10.0 ** np.random.default_rng(3).integers(-8, 8, 23)
    shapes = [((1, 1, 1), 1.0), ((20, 1, 2), factors), ((2, 2, 40), 0.1)]
    for x, ok in ((best, True), (best - 1e-8, True), (best - 1e-4, False)):
        base = None
        for copies, factor in shapes:
            p = repeated(copies, np.asarray(factor), reference)
            cert, at = certify(p, x)
            assert bool(cert.within(TOL)) == ok
            ratios = np.array([float(v.value / v.scale) for v in cert.parts])
            base = ratios if base is None else base
            np.testing.assert_allclose(ratios, base, rtol=1e-5, atol=1e-9)
            # Copies share: the multiplier of the first constraint is 3.8 in all.
            rows = np.asarray(p.args[0][: copies[0], 0])
            shares = np.asarray(at.dual)[: copies[0]] * rows
            assert shares.sum() == pytest.approx(3.8, rel=1e-3)
            np.testing.assert_allclose(shares, shares[0], rtol=1e-6)


@pytest.mark.parametrize("signs", [1.0, -1.0])
def test_copies_of_an_equation_share_its_multiplier(signs):
    for x in (BEST, BEST * 1.0001):
        base = None
        for factors in ([1.0], [1e-6, 1e6, 1.0], np.linspace(1, 2, 400)):
            factors = np.array(factors)
            factors[1::2] *= signs
            p = Constrained(
                lambda x, k: x[0] + x[1], np.ones(2), (factors,),
                eq=lambda x, k: k * (x @ x - 1), reference=np.ones(2),
            )  # fmt: skip
            cert, at = certify(p, x)
            ratios = [float(v.value / v.scale) for v in cert.parts]
            base = ratios if base is None else base
            np.testing.assert_allclose(ratios, base, rtol=1e-6, atol=1e-9)
            assert at.dual @ factors == pytest.approx(0.5**0.5, rel=1e-3)
            assert bool(cert.within(TOL)) == (x is BEST)


@pytest.mark.parametrize("m", [1, 7, 1000])
def test_copies_of_a_degenerate_row_switch_no_guard_off(m):
    for power, at in ((2.0, 1.0), (4.0, 2.0)):
        p = Constrained(
            lambda x, ones, k: x[0], np.ones(1), (np.ones(m), np.array(power)),
            ineq=lambda x, ones, k: ones * jnp.abs(x[0]) ** k,
            reference=np.full(1, at),
        )  # fmt: skip
        for t in (1e-3, 1e-6, 1e-9):
            cert, _ = certify(p, [-t])
            assert not bool(cert.within(TOL)) and float(cert.ratio) > 0.05


def test_many_rows_are_fitted_without_a_square_of_them():
    """Multipliers of 10,000 rows in 30 unknowns, of which 8 are active."""
    rng = np.random.default_rng(0)
    m, n = 10_000, 30
    A = rng.standard_normal((m, n))
    x = rng.standard_normal(n)
    slack = rng.uniform(0.1, 3.0, m)
    slack[:8] = 0
    lam = np.zeros(m)
    lam[:8] = rng.uniform(0.5, 2.0, 8)
    g = -A.T @ lam
    p = Constrained(
        lambda x, g, A, b: g @ x, np.zeros(n), (g, A, A @ x + slack),
        ineq=lambda x, g, A, b: A @ x - b, reference=np.zeros(n),
    )  # fmt: skip
    cert, at = certify(p, x)
    np.testing.assert_allclose(at.dual[:8], lam[:8], rtol=1e-7)
    assert bool(cert.within(1e-9))
    made = jax.make_jaxpr(lambda: KKT()(p, Point(x), jax.random.key(0), 0))()
    largest = max(v.aval.size for e in _every(made.jaxpr) for v in e.outvars)
    assert largest <= 4 * (m + n) * n


def _every(jaxpr):
    for e in jaxpr.eqns:
        yield e
        for v in e.params.values():
            for item in v if isinstance(v, tuple | list) else (v,):
                inner = getattr(item, "jaxpr", item)
                if hasattr(inner, "eqns"):
                    yield from _every(inner)


def test_row_scaling_does_not_hide_a_violation():
    x = BEST * 1.001
    base = parts(circle(), x)
    for row in (1e-9, 1e9):
        found = parts(circle(row=row), x)
        for name in base:
            ratio = [float(f[name].value / f[name].scale) for f in (base, found)]
            assert ratio[1] == pytest.approx(ratio[0], rel=1e-6)
    # Without a reference a row is measured by itself at x0 and at x.
    for row in (1e-9, 1.0, 1e9):
        small, _ = certify(circle(row=row, reference=None), x)
        equations = small.parts[1]
        assert float(equations.scale) == 1.0
        told = (x @ x - 1) / (2 * np.linalg.norm(x))
        assert float(equations.value) == pytest.approx(told, rel=1e-9)
        # An absolute tolerance is of the row as it was given.
        bare = small.absolute().parts[1]
        assert float(bare.value) == pytest.approx(row * (x @ x - 1), rel=1e-9)


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
    cert, kept = judged(KKT(), p, at)
    assert cert.parts[0].value.dtype == np.float64
    assert kept.x.dtype == kept.dual.dtype == np.float32
    wide = BEST.astype(np.float32).astype(float)
    told = abs(wide @ wide - 1) / (2 * np.linalg.norm(wide))
    assert float(cert.parts[1].value) == pytest.approx(told, rel=1e-9)


def test_other_kinds_are_refused_and_the_norm_of_the_multipliers_is_printed():
    smooth = bn.Smooth(lambda x: x @ x, np.ones(2))
    assert "stationarity" in KKT().refuses(smooth)
    r = bn.solve(circle(row=0.1))
    line = next(v for v in str(r).splitlines() if "multipliers" in v and "||" in v)
    assert "7.07" in line
    assert r.to_dict()["dual_norm"] == pytest.approx(7.071, rel=1e-3)


@pytest.mark.parametrize(
    "problem, prepared, seen",
    [
        # The rows with their bound and their Jacobian, once for start and reference.
        (box(), 2, 3),
        # Without a reference: at the start.
        (circle(reference=None), 2, 3),
    ],
)
def test_a_program_holds_the_constraints_as_often_as_they_are_needed(
    problem, prepared, seen, monkeypatch
):
    """The look: with the Jacobian, with their bound, inside the Lagrangian."""
    traced = []
    once = Constrained.constraints

    def counted(self, x):
        traced.append(1)
        return once(self, x)

    monkeypatch.setattr(Constrained, "constraints", counted)
    x, lam = problem.start().x, np.zeros(problem.rows())
    jax.eval_shape(lambda p: KKT().prepared(p), problem)
    assert len(traced) == prepared
    traced.clear()
    check = KKT().prepared(problem)
    traced.clear()
    jax.make_jaxpr(lambda p, x, lam: check(p, Point(x, lam), jax.random.key(0), 0))(
        problem, x, lam
    )
    assert len(traced) == seen
