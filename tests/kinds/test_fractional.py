"""Fractional: oracles against NumPy, lines against exact arithmetic, the check."""

from fractions import Fraction

import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.fractional import line
from banach.kinds.fractional.check import CoordinateGap
from banach.kinds.fractional.problem import Fractional


def drawn(seed, k=2, n=4, size=1.0):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((6, n)), size * rng.standard_normal(6)
    return Fractional(A, b, 0.3 * size, k), size * rng.standard_normal(n)


def exact(p, x):
    """F in rational numbers; None at 0."""
    A, b = (
        [[Fraction(v) for v in row] for row in np.atleast_2d(M)] for M in (p.A, p.b)
    )
    r = [sum(a * v for a, v in zip(row, x, strict=True)) for row in A]
    top = sum((u - v) ** 2 for u, v in zip(r, b[0], strict=True)) / 2
    top += Fraction(float(p.lam)) * sum(map(abs, x))
    bottom = sum(sorted(map(abs, x))[-p.k :])
    return top / bottom if bottom else None


def gained(p, x):
    """The most that a change of one coordinate was seen to lower F by, exactly."""
    x = [Fraction(v) for v in x]
    F, best = exact(p, x), Fraction(0)
    z = line.least(p.lines(np.array(x, float), p.residual(np.array(x, float))), None)[0]
    for j, at in enumerate(np.asarray(z)):
        for t in (
            at,
            at * (1 + 1e-7),
            at - 1e-7,
            *np.linspace(-3, 3, 25),
            *map(float, x),
        ):
            moved = exact(p, [*x[:j], Fraction(float(t)), *x[j + 1 :]])
            best = best if moved is None else max(best, F - moved)
    return best


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_gap_bounds_what_any_move_gains(k):
    for seed in range(3):
        p, x = drawn(seed, k)
        x[seed] = x[seed - 1]  # a tie
        end = bn.solve(p, tol=1e-12, max_steps=2000).x
        for at in (x, end, end * (1 + 1e-9), np.eye(4)[1]):
            c = judged(CoordinateGap(), p, Point(at))[0]
            most = gained(p, at)
            assert most <= Fraction(float(c.value + c.slack))
            assert float(c.value) <= float(most) + float(c.slack) + 1e-12 * c.scale
            assert c.rounding == "modelled"
    assert float(c.scale) == pytest.approx(np.abs(p.A.T @ p.b).max(), rel=1e-12)


def test_one_coordinate_at_its_minimum_is_not_the_other():
    p, x = drawn(7)
    r = p.residual(x)
    for ratio in (True, False):
        for i in range(4):
            y, moved = p.coordinate(x, r, i, 0.0, ratio)
            np.testing.assert_allclose(moved, p.residual(y), atol=1e-12)
            assert p.value(y) <= p.value(x) and np.sum(y != x) == 1
    assert float(p.value(x)) == pytest.approx(float(exact(p, [*map(Fraction, x)])))


def test_units_move_no_verdict_and_zero_solves_nothing():
    ratios = []
    for size in (1e-9, 1.0, 1e9):
        p, x = drawn(3, size=size)
        c = judged(CoordinateGap(), p, Point(x))[0]
        ratios.append(float(c.value / c.scale))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    c = judged(CoordinateGap(), p, Point(0 * x))[0]
    assert not bool(c.within(1e-3))
    with pytest.raises(bn.Misuse, match="coordinate_gap"):
        bn.verify(
            bn.Smooth(lambda x: x @ x, np.ones(2)), np.zeros(2), check="coordinate_gap"
        )
