"""The residuals of the hypergradient: each lie about y, v or mu is seen."""

import functools
from fractions import Fraction

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.bilevel.check import Hypergradient, HypergradientBound

N, P = 12, 3
rng = np.random.default_rng(4)
A, C = (rng.standard_normal((N, P)) for _ in range(2))
B, D = (W @ np.array([1.0, -0.5, 0.3]) + rng.standard_normal(N) for W in (A, C))
X = np.array([0.4, -0.6, 0.1])


def upper(x, y, row):
    return (row[0] @ y - row[1]) ** 2 / 2 + 0.05 * jnp.sum(x**2)


def lower(x, y, row):
    return (row[0] @ y - row[1]) ** 2 / 2 + jnp.sum(jnp.exp(x) * y**2) / 2


def stated(x=X, **more):
    more = {"lower_strongly_convex": True} | more
    return bn.Bilevel(
        upper, lower, x, np.zeros(P), upper_rows=(C, D), lower_rows=(A, B), **more
    )


def hessian(x):
    return A.T @ A / N + np.diag(np.exp(x))


def response(x):
    return np.linalg.solve(hessian(x), A.T @ B / N)


def fy(y):
    return C.T @ (C @ y - D) / N


def phi_grad(x):
    y = response(x)
    return 0.1 * x - np.exp(x) * y * np.linalg.solve(hessian(x), fy(y))


def solution():
    x, h = X, 1e-5
    for _ in range(50):
        J = [(phi_grad(x + h * e) - phi_grad(x - h * e)) / (2 * h) for e in np.eye(P)]
        x = x - np.linalg.solve(np.array(J), phi_grad(x))
    return x


BEST = solution()


@functools.cache
def plain():
    return stated()


def certify(x, y, dual=None, problem=None, check=None):
    return judged(check or Hypergradient(), problem or plain(), Point((x, y), dual))


def test_the_parts_are_the_three_residuals():
    y = np.array([0.3, 0.2, -0.4])
    cert, point = certify(X, y)
    v = np.linalg.solve(hessian(X), fy(y))
    want = [
        np.linalg.norm(hessian(X) @ y - A.T @ B / N),
        0.0,
        np.linalg.norm(0.1 * X - np.exp(X) * y * v),
    ]
    for part, value in zip(cert.parts, [*want, 0.0], strict=True):
        assert float(part.value) == pytest.approx(value, abs=1e-13)
        assert 0 < float(part.scale) <= 1.0 and float(part.slack) < 1e-12
    np.testing.assert_allclose(point.dual, v, atol=1e-12)
    assert cert.grade == "residual" and cert.rounding == "modelled"
    assert "lower_strongly_convex: declared" in cert.assumes
    assert float(cert.value) == pytest.approx(max(want))


def test_the_solution_passes_and_neighbours_do_not():
    cert, _ = certify(BEST, response(BEST))
    assert bool(cert.within(1e-11))
    for d in np.eye(P) * 1e-4:
        assert not bool(certify(BEST + d, response(BEST))[0].within(1e-7))
        assert not bool(certify(BEST, response(BEST) + d)[0].within(1e-7))
        # y follows x: the lower residual is zero, the hypergradient is not.
        cert, _ = certify(BEST + d, response(BEST + d))
        assert float(cert.parts[0].value) < 1e-14
        assert not bool(cert.within(1e-7))


def test_a_detached_y_is_seen():
    """y of another x, chosen so that F_x - G_xy v = 0 all the same."""
    flat = eqx.tree_at(lambda p: p.upper_rows, stated(), (0 * C, 0 * D))
    x = np.zeros(P)
    cert, _ = certify(x, response(BEST), problem=flat)
    assert float(cert.parts[2].value) == 0.0 and float(cert.parts[1].value) == 0.0
    assert not bool(cert.within(1e-3))


@pytest.mark.parametrize("screen", [None, 1e-8])
def test_an_offered_v_is_never_believed(screen):
    check = Hypergradient(screen=screen)
    y = response(BEST)
    good = np.linalg.solve(hessian(BEST), fy(y))
    stale = np.linalg.solve(hessian(X), fy(response(X)))
    base, _ = certify(BEST, y, check=check)
    nan = np.full(P, np.nan)
    wrong_shape, wrong_tree = np.zeros(P + 1), {"v": np.zeros(P)}
    for dual in (good, stale, 0 * stale, 1e9 + stale, nan, wrong_shape, wrong_tree):
        cert, point = certify(BEST, y, dual, check=check)
        assert bool(cert.within(1e-8)) == bool(base.within(1e-8)) is True
        np.testing.assert_allclose(point.dual, good, atol=1e-7)
        # Elsewhere no v helps: neither a v that solves nothing but G_xy v = F_x.
        killing = 0.1 * X / (np.exp(X) * response(X))
        for offer in (dual, killing):
            cert, _ = certify(X, response(X), offer, check=check)
            assert not bool(cert.within(1e-3))
    # NaN is no witness, to the bit.
    a, b = (certify(X, response(X), d, check=check)[0] for d in (None, nan))
    assert np.array_equal(a.ratios(), b.ratios())


def test_swapped_data_and_nan_never_pass():
    y = response(BEST)
    swapped = eqx.tree_at(lambda p: p.lower_rows, stated(), (C, D))
    assert not bool(certify(BEST, y, problem=swapped)[0].within(1e-3))
    B2 = B.copy()
    B2[2] = np.nan
    bad = eqx.tree_at(lambda p: p.lower_rows[1], stated(), B2)
    assert not bool(certify(BEST, y, problem=bad)[0].within(1e30))
    assert not bool(certify(BEST, y * np.nan)[0].within(1e30))


def test_a_false_declaration_of_convexity_is_refuted():
    y = response(BEST)
    mu = np.linalg.eigvalsh(hessian(BEST))[0]
    honest = stated(lower_mu=0.99 * mu)
    assert not bool(certify(BEST, y, problem=honest)[0].refuted())
    # mu of another x, or inflated.
    cert, _ = certify(BEST, y, problem=stated(lower_mu=10 * mu))
    assert bool(cert.refuted()) and not bool(cert.within(1e6))
    saddle = bn.Bilevel(
        lambda x, y: jnp.sum((y - 1) ** 2) + jnp.sum(x**2),
        lambda x, y: jnp.sum(y**4 - y**2 + x * y),
        np.zeros(2),
        np.zeros(2),
        lower_strongly_convex=True,
    )
    cert, _ = certify(np.zeros(2), np.zeros(2), problem=saddle)
    assert bool(cert.refuted())


def test_a_screen_certifies_the_same_points():
    for x, y in ((BEST, response(BEST)), (X, response(X)), (BEST, response(X))):
        full, fast = (
            certify(x, y, check=Hypergradient(screen=s))[0] for s in (None, 1e-6)
        )
        assert bool(full.within(1e-6)) == bool(fast.within(1e-6))


def test_undeclared_convexity_is_refused_with_the_cure():
    plain = stated(lower_strongly_convex=False)
    with pytest.raises(bn.Misuse, match=r"\(rho/2\) \|\|y\|\|\^2"):
        bn.solve(plain)
    no = Hypergradient().refuses(bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2)))
    assert "check='stationarity'" in no
    assert "smoothness" in HypergradientBound().refuses(stated())


def bounded(x):
    """The constants of this problem, exact for this x."""
    return stated(
        x,
        lower_mu=np.linalg.eigvalsh(hessian(x))[0] * (1 - 1e-12),
        smoothness={
            "upper_x": 0.0,
            "upper_y": np.linalg.norm(C.T @ C / N, 2) * (1 + 1e-12),
            "cross": np.exp(x.max()) * (1 + 1e-12),
            "hess": 0.0,
        },
    )


def test_the_bound_holds_and_is_useful():
    worst = 0.0
    for i in range(60):
        draw = np.random.default_rng(i)
        x = draw.standard_normal(P)
        y = response(x) + 10.0 ** draw.uniform(-9, 0) * draw.standard_normal(P)
        cert, _ = certify(x, y, problem=bounded(x), check=HypergradientBound())
        truth = np.linalg.norm(phi_grad(x))
        assert float(cert.value) + float(cert.slack) >= truth
        assert cert.grade == "bound" and cert.quantity == "||grad Phi(x)||_2"
        error = np.linalg.norm(y - response(x))
        worst = max(worst, (float(cert.value) - truth) / error)
    assert worst < 1e3
    cert, _ = certify(
        BEST, response(BEST), problem=bounded(BEST), check=HypergradientBound()
    )
    assert bool(cert.within(1e-10))
    assert "smoothness: declared" in cert.assumes


def test_the_bound_refuses_a_cross_derivative_too_large_to_form():
    p = bn.Bilevel(
        lambda x, y: jnp.sum(y**2),
        lambda x, y: jnp.sum((y - x[0]) ** 2),
        np.zeros(600),
        np.zeros(600),
        lower_mu=2.0,
        smoothness=dict.fromkeys(("upper_x", "upper_y", "cross", "hess"), 1.0),
    )
    assert "600 x 600" in HypergradientBound().refuses(p)


def cancelling(big, cross):
    """min over x of F(x, y*), F = y^2 / 2, g = (y - 1)^2 / 2 - cross x y, badly said.

    y* = 1 + cross x and G_xy = -cross: grad Phi = cross (1 + cross x).
    """
    return bn.Bilevel(
        lambda x, y, big, c: 0.5 * jnp.sum(y**2),
        lambda x, y, big, c: jnp.sum(
            0.5 * (y - 1) ** 2 - (((big + c) * x - big * x) * y)
        ),
        np.array([0.25]),
        np.array([1.0]),
        (np.array(big), np.array(cross)),
        lower_mu=1.0,
        smoothness=dict.fromkeys(("upper_x", "upper_y", "cross", "hess"), 0.0)
        | {"upper_y": 1.0},
    )


@pytest.mark.parametrize("big", [0.0, 1e8, 1e14, 1e19, -3e17])
def test_cancellation_in_the_cross_derivative_is_charged(big):
    """Truth in rational arithmetic: what cancels is not small where it is lost."""
    for cross in (5e-4, -0.3, 7.0):
        p = cancelling(big, cross)
        c, b = Fraction(cross), Fraction(big)
        x = Fraction(float(p.x0[0]))
        # The problem as it is computed: (fl(big + cross)) is a number of the data.
        kept = Fraction(big + cross) - b if big else c
        for y in (float(1 + kept * x), 1.0):
            cert, _ = certify(
                p.x0, np.array([y]), problem=p, check=HypergradientBound()
            )
            claim = Fraction(float(cert.value)) + Fraction(float(cert.slack))
            assert claim >= abs(c * (1 + c * x)) * Fraction(999, 1000)
            if not big:
                assert float(cert.slack) < 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wide", [False, True])
def test_the_norm_of_the_cross_derivative_charges_what_its_sum_loses(wide, dtype):
    """G_xy = 1/3 is lost in rows of 1e17, and F_y = 0 here hides the rest."""
    big = np.array([1e17, 1.0, -1e17], dtype)
    n = 3 if wide else 1
    p = bn.Bilevel(
        lambda x, y, row: 0.5 * jnp.sum((y - 1e-3) ** 2),
        lambda x, y, row: jnp.sum(0.5 * y**2) - row * x[0] * y[0],
        np.zeros(n, dtype),
        np.zeros(1, dtype),
        upper_rows=big,
        lower_rows=big,
        lower_mu=1.0,
        smoothness=dict.fromkeys(("upper_x", "cross", "hess"), 1e-9) | {"upper_y": 1.0},
    )
    y = np.array([1e-3], dtype)
    cert, _ = certify(p.x0, y, problem=p, check=HypergradientBound())
    # y* = 0, so that grad Phi = G_xy (y* - 1e-3) = 1e-3 / 3.
    assert float(cert.value) + float(cert.slack) >= 1e-3 / 3
    assert not bool(cert.within(1e-4))
