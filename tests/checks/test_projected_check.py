"""The projected residual: sound against rational arithmetic, free of units, honest.

Residuals are r = A x + (B x)^2 - y, whose Jacobian is exact in rational arithmetic.
"""

from fractions import Fraction
from math import isqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.doors import defaults
from banach.kinds.least_squares.check import ProjectedResidual

N, P = 7, 3
T = np.linspace(0.0, 2.0, 15)


def residual(x, A, B, y):
    return A @ x + (B @ x) ** 2 - y


def stated(A, B, y, data=False, x0=None):
    x0 = np.ones(P) if x0 is None else x0
    return bn.NonlinearLeastSquares(residual, x0, (A, B, y), data=y if data else None)


def certify(problem, x):
    return judged(ProjectedResidual(), problem, Point(x))[0]


@jax.jit
def claims(A, B, y, x):
    """(value + slack) without data and with, for many instances at once."""

    def one(*at):
        return [
            (c.parts[0].value, c.parts[0].slack)
            for c in (certify(stated(*at[:3], data=d), at[3]) for d in (False, True))
        ]

    return jax.vmap(one)(A, B, y, x)


def rational(M):
    return [[Fraction(float(v)) for v in row] for row in M]


def exact(A, B, y, x, columns=P):
    """(||P_J r||^2, ||r||^2) in rational arithmetic, J the first of its columns."""
    A, B = rational(A), rational(B)
    x, y = [Fraction(float(v)) for v in x], [Fraction(float(v)) for v in y]
    Bx = [sum(b * v for b, v in zip(row, x, strict=True)) for row in B]
    r = [
        sum(a * v for a, v in zip(row, x, strict=True)) + w * w - t
        for row, w, t in zip(A, Bx, y, strict=True)
    ]
    J = [
        [a + 2 * w * b for a, b in zip(row, other, strict=True)][:columns]
        for row, other, w in zip(A, B, Bx, strict=True)
    ]
    if columns == P and all(row[0] * J[0][2] == row[2] * J[0][0] for row in J):
        J = [row[:2] for row in J]
    n, p = len(J), len(J[0])
    M = [[sum(J[i][j] * J[i][k] for i in range(n)) for k in range(p)] for j in range(p)]
    g = [sum(J[i][j] * r[i] for i in range(n)) for j in range(p)]
    return sum(a * b for a, b in zip(g, solve(M, g), strict=True)), sum(
        v * v for v in r
    )


def solve(M, g):
    """Gauss-Jordan in rational arithmetic."""
    rows = [[*row, v] for row, v in zip(M, g, strict=True)]
    for j in range(len(rows)):
        k = next(i for i in range(j, len(rows)) if rows[i][j] != 0)
        rows[j], rows[k] = rows[k], rows[j]
        rows[j] = [v / rows[j][j] for v in rows[j]]
        for i in range(len(rows)):
            if i != j:
                rows[i] = [
                    a - rows[i][j] * b for a, b in zip(rows[i], rows[j], strict=True)
                ]
    return [row[-1] for row in rows]


def root(v):
    """A square root to 60 digits, rounded down."""
    shift = 10**400
    return Fraction(isqrt(int(v * shift * shift)), shift)


def instances():
    """At random points, near minimisers, with dependent columns, in many units."""
    rng = np.random.default_rng(40)
    for k in range(60):
        A, B = rng.standard_normal((2, N, P))
        B, x = 0.3 * B, rng.standard_normal(P)
        near = 10.0 ** rng.integers(-7, -2)
        if k % 3 == 1:
            A[:, 2] = A[:, 0] + near * A[:, 2]
            B[:, 2] = B[:, 0] + near * B[:, 2]
        y = rng.standard_normal(N)
        if k % 5 == 4:
            y = A @ x + (B @ x) ** 2 + near * y
        if k % 7 == 6:
            # Exactly: the range is that of the other two.
            A[:, 2], B[:, 2] = A[:, 0], B[:, 0]
        for _ in range(25 if k % 2 else 0):
            r = A @ x + (B @ x) ** 2 - y
            J = A + 2 * (B @ x)[:, None] * B
            x = x - 0.7 * np.linalg.lstsq(J, r)[0]
        # Powers of two, which keep dependent columns dependent; with whole roots.
        columns = 2.0 ** rng.integers(-20, 21, P) if k % 4 > 1 else np.ones(P)
        unit = 4.0 ** rng.integers(-15, 16) if k % 4 > 2 else 1.0
        # r changes by `unit`, and x by 1 / columns: (B x)^2 with its root.
        yield A * unit * columns, B * np.sqrt(unit) * columns, y * unit, x / columns


def test_sound_at_stationary_points_and_elsewhere_in_all_units():
    cases = list(instances())
    (plain, with_data) = claims(*(np.array(v) for v in zip(*cases, strict=True)))
    useful = 0
    for i, (A, B, y, x) in enumerate(cases):
        p2, r2 = exact(A, B, y, x)
        p, R, s = root(p2), root(r2), root(sum(Fraction(float(v)) ** 2 for v in y))
        for (value, slack), size in ((plain, 0), (with_data, s)):
            value, slack = float(value[i]), float(slack[i])
            t = Fraction(value) + Fraction(slack)
            assert p <= (t * R + t * t * size) * (1 + Fraction(1, 10**30))
            assert 0 <= value <= 1 + 1e-12 and slack >= 0
        useful += float(plain[1][i]) < 1e-8
    assert useful >= 40


def test_units_of_data_and_parameters_change_nothing():
    A, B, y, x = next(instances())
    want = certify(stated(A, B, y, data=True), x)
    for k in (-12, -5, 7, 12):
        for columns in (np.ones(P), 10.0 ** np.array([k, 0, -k])):
            unit = 10.0 ** (2 * (k // 2))
            moved = stated(
                A * unit * columns, B * np.sqrt(unit) * columns, y * unit, data=True
            )
            got = certify(moved, x / columns)
            assert float(got.value) == pytest.approx(float(want.value), rel=1e-9)
            assert float(got.slack) < 1e-12 and float(got.scale) == 1


def line(x, y):
    return x[0] * jnp.exp(-x[1] * T) - y


def test_an_exact_fit_is_small_against_the_data_and_never_by_its_cosines():
    best = np.array([2.0, 0.7])
    y = np.asarray(line(best, 0.0))
    with_data = bn.NonlinearLeastSquares(line, np.ones(2), (y,), data=y)
    bare = bn.NonlinearLeastSquares(line, np.ones(2), (y,))
    assert bool(certify(with_data, best).within(1e-6))
    # Without data: 0 to rounding, beside the residual of the start.
    assert bool(certify(bare, best).within(1e-6))
    for away in (1e-10, 1e-7, 1e-4):
        # r lies in the range of J: however small it is, it can be made smaller.
        for problem in (with_data, bare):
            cert = certify(problem, best * (1 + away))
            assert not bool(cert.within(1e-6)) and float(cert.value) > 5e-6
    r = bn.solve(bare)
    assert r.certified and np.allclose(r.x, best, rtol=1e-12)


def test_the_stated_ratio_is_the_least_tolerance_that_passes():
    y = np.asarray(line(np.array([2.0, 0.7]), 0.0)) + 1e-3 * np.cos(9 * T)
    problem = bn.NonlinearLeastSquares(line, np.ones(2), (y,), data=y)
    x = np.array([2.0005, 0.7002])
    t = float(certify(problem, x).ratio)
    r, J = np.asarray(problem.residual(x)), np.asarray(problem.jacobian(x))
    p = np.linalg.norm(np.linalg.qr(J)[0].T @ r)
    total = np.linalg.norm(r) + t * np.linalg.norm(y)
    assert p / total == pytest.approx(t, rel=1e-9)
    assert 1e-3 < t < 1


def test_dependent_columns_and_parameters_without_effect():
    y = 2 * np.exp(-0.7 * T) + 0.1 * np.cos(9 * T)

    def double(x):
        return x[0] * jnp.exp(-x[1] * T + x[2]) - y

    problem = bn.NonlinearLeastSquares(double, np.array([1.0, 1.0, 0.3]), data=y)
    r = bn.solve(problem)
    assert r.certified and float(r.certificate.slack) < 1e-10
    two = bn.solve(bn.NonlinearLeastSquares(line, np.ones(2), (y,), data=y))
    assert float(problem.value(r.x)) == pytest.approx(float(two.problem.value(two.x)))
    # Off the best, the dropped direction hides nothing.
    assert not bool(certify(problem, np.asarray(r.x) * 1.001).within(1e-6))

    def idle(x):
        return x[0] * jnp.exp(-x[1] * T) + jnp.exp(-x[2] * (T + 90)) - y

    idling = bn.NonlinearLeastSquares(idle, np.array([1.0, 1.0, 9.0]), data=y)
    r = bn.solve(idling, "levenberg_marquardt")
    assert r.status == "stalled" and float(r.certificate.ratio) > 0.1
    assert "parameter x[2] has no effect here" in r.hint


def test_fewer_residuals_than_parameters_leave_exact_fits_alone():
    def few(x):
        return jnp.stack([x[0] * x[1] + x[2] - 3, x[2] ** 2 - x[0]])

    problem = bn.NonlinearLeastSquares(few, np.array([1.0, 2.0, 0.5]))
    assert float(certify(problem, problem.x0).value) == pytest.approx(1)
    r = bn.solve(problem)
    assert r.certified
    assert np.abs(np.asarray(few(r.x))).max() < 1e-12


def test_absolute_is_the_same_tolerance_since_the_offset_has_no_unit():
    y = 2e-9 * np.exp(-0.7 * T) + 1e-10 * np.cos(9 * T)
    problem = bn.NonlinearLeastSquares(line, np.array([1e-9, 1.0]), (y,), data=y)
    x = np.array([1.4e-9, 0.5])
    for tol in (1e-6, bn.Absolute(1e-6)):
        assert bn.verify(problem, x, tol=tol).status != "certified"
    best = bn.solve(problem, tol=bn.Absolute(1e-6))
    assert best.certified and best.certificate.scale == 1


def test_float32_is_judged_in_float64_and_lanes_stay_apart():
    y = (2 * np.exp(-0.7 * T) + 0.3 * np.cos(9 * T)).astype(np.float32)
    x0 = np.ones(2, np.float32)
    problem = bn.NonlinearLeastSquares(line, x0, (y,), data=y)
    r = bn.solve(problem, tol=1e-4)
    assert r.certified and r.x.dtype == np.float32
    assert r.certificate.value.dtype == np.float64
    assert float(r.certificate.slack) < 1e-12

    def one(x):
        cert = certify(problem, x)
        return cert.within(1e-4), cert.value

    with jax.enable_x64(True):
        xs = jnp.stack([r.x, r.x + 0.1, r.x * jnp.nan])
        good, value = jax.jit(jax.vmap(one))(xs)
    assert good.tolist() == [True, False, False]
    assert np.isnan(value[2]) and value[1] > 0.01


def test_what_is_too_large_or_no_sum_of_squares_is_sent_elsewhere():
    big = bn.NonlinearLeastSquares(lambda x: x - 1.0, np.zeros(2001))
    assert "stationarity" in ProjectedResidual().refuses(big)
    assert big.default_check() == "stationarity"
    assert defaults.default_method(big).card.name == "lbfgs"
    root_ = bn.Root(lambda x: x - 1.0, np.zeros(2))
    assert "check='residual'" in ProjectedResidual().refuses(root_)


def test_data_have_the_shape_of_the_residuals():
    with pytest.raises(bn.Misuse, match="observations"):
        bn.NonlinearLeastSquares(line, np.ones(2), (T,), data=T[:-1])
    with pytest.raises(bn.Misuse, match="data"):
        bn.least_squares(line, np.ones(2), (T,), data=np.full(15, np.nan))
