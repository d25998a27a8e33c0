"""Correct digits: the bound against exact solutions, and what it cannot say."""

from fractions import Fraction

import exact_quadratic as exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.checks.relative_distance import BOUNDS, RelativeDistance, against
from banach.core.point import Point


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def look(problem, x, check=None):
    return judged(check or RelativeDistance(), problem, Point(x))[0]


def solution(H, b):
    """H^-1 b in rational arithmetic, by Cramer's rule."""
    H = [[Fraction(float(v)) for v in row] for row in H]
    b = [Fraction(float(v)) for v in b]

    def det(M):
        (a, d, e), (f, g, h), (i, j, k) = M
        return a * (g * k - h * j) - d * (f * k - h * i) + e * (f * j - g * i)

    whole = det(H)
    return [
        det([[b[r] if c == j else H[r][c] for c in range(3)] for r in range(3)]) / whole
        for j in range(3)
    ]


def test_it_bounds_the_relative_error_of_every_entry():
    H, b, c, _ = exact.instances()
    rng = np.random.default_rng(0)
    close = []
    for i in range(0, len(H), 3):
        mu = float(np.linalg.eigvalsh(H[i])[0]) * (1 - 1e-9)
        problem = exact.problem(H[i], b[i], c[i], mu=mu, reference=np.zeros(3))
        best = solution(H[i], b[i])
        for size in (1e-2, 1e-5, 1e-9):
            x = np.array([float(v) for v in best]) * (1 + size * rng.normal(size=3))
            part = look(problem, x).parts[0]
            true = max(
                abs((Fraction(v) - w) / w)
                for v, w in zip(x.tolist(), best, strict=True)
            )
            bound = Fraction(float(part.value)) + Fraction(float(part.slack))
            assert bound >= true
            close.append(float(bound / true))
    assert min(close) < 20


@pytest.mark.parametrize("value", [1e-8, 1e-3, 0.1, 0.3, 0.7, 5.0])
def test_the_quotient_is_of_the_smallest_entry_less_the_distance(value):
    x = {"a": jnp.array([3.0, -0.5]), "b": jnp.array(0.0)}
    ratio, slack = against(jnp.asarray(value), jnp.asarray(0.0), x)
    want = Fraction(value) / (Fraction(1, 2) - Fraction(value))
    if value < 0.25:
        assert want <= Fraction(float(ratio)) + Fraction(float(slack))
        assert float(ratio) == pytest.approx(float(want), rel=1e-12)
    else:
        assert float(ratio) >= 1  # no digit at all


def test_zeros_have_no_digits_and_hide_no_refutation():
    ratio, slack = against(jnp.asarray(1e-12), jnp.asarray(0.0), jnp.zeros(3))
    assert float(ratio) == 1
    assert float(slack) < 1e-10
    ratio, slack = against(jnp.asarray(-1.0), jnp.asarray(1e-3), jnp.ones(2))
    assert float(ratio) < -float(slack)
    ratio, _ = against(jnp.asarray(jnp.nan), jnp.asarray(0.0), jnp.zeros(2))
    assert np.isnan(float(ratio))
    ratio, _ = against(jnp.asarray(jnp.inf), jnp.asarray(0.0), jnp.ones(2))
    assert np.isinf(float(ratio))


def test_what_the_bound_refutes_stays_refuted():
    H, b, c, _ = (v[1] for v in exact.instances())
    mu = 10 * float(np.linalg.eigvalsh(H)[-1])
    problem = exact.problem(H, b, c, mu=mu, convex=True, reference=np.zeros(3))
    own = judged(bn.StrongDistance(), problem, Point(np.ones(3)))[0]
    other = look(problem, np.ones(3))
    assert len(other.parts) == len(own.parts)
    assert other.parts[1].name == own.parts[1].name


def test_arguments_and_refusals():
    with pytest.raises(bn.Misuse, match="bn.GapDistance, bn.StrongDistance"):
        RelativeDistance(bn.Gap())
    with pytest.raises(bn.Misuse, match="got 3"):
        RelativeDistance(3)
    lasso = bn.Lasso(np.eye(3), np.ones(3), 0.1)
    assert "relative_distance" in RelativeDistance().refuses(lasso)
    flat = bn.Smooth(lambda x: jnp.sum(x**4), np.ones(2))
    assert "proved on the host" in RelativeDistance().refuses(flat)
    assert RelativeDistance(bn.EnclosureCheck()).host
    assert not RelativeDistance(bn.GapDistance()).host
    weighed = bn.FixedPoint(
        lambda x: x / 3, np.ones(2), contraction=0.5, norm="inf", weights=np.ones(2)
    )
    assert RelativeDistance(bn.Contraction()).refuses(weighed)
    assert set(BOUNDS) <= set(bn.checks.names())
