"""The full sum: every lie about it is caught, and none of its own is told."""

from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.core.point import Point
from banach.kinds.finite_sum.check import FullSum
from banach.kinds.finite_sum.problem import FiniteSum

RNG = np.random.default_rng(8)
N, D = 30, 3
A = RNG.standard_normal((N, D))
Y = RNG.standard_normal(N)
TOL = 1e-8


def squares(x, d):
    a, y = d
    return (a @ x - y) ** 2 / 2


def problem(A=A, Y=Y, **options):
    return FiniteSum(squares, np.zeros(D), (A, Y), reference=np.zeros(D), **options)


def solution(A=A, Y=Y, weight=None):
    w = np.ones(len(Y)) if weight is None else weight
    return np.linalg.solve((A.T * w) @ A, (A.T * w) @ Y)


def certify(x, at=None, **hyper):
    check = FullSum(**hyper)
    at = problem() if at is None else at
    return judged(check, at, Point(x))[0]


def test_sound_against_rational_arithmetic():
    p = problem()
    for x in (solution(), np.zeros(D), RNG.standard_normal(D) * 1e6):
        cert = certify(x, p)
        part = cert.parts[0]
        exact = [Fraction(0)] * D
        for a, y in zip(A, Y, strict=True):
            r = sum(Fraction(p) * Fraction(q) for p, q in zip(a, x, strict=True))
            r -= Fraction(y)
            exact = [g + r * Fraction(q) for g, q in zip(exact, a, strict=True)]
        truth = sum(g * g for g in exact) / N**2
        claim = Fraction(float(part.value)) + Fraction(float(part.slack))
        assert claim**2 >= truth
        size = np.linalg.norm(A) ** 2 * np.linalg.norm(x) + np.linalg.norm(A.T @ Y)
        assert float(part.slack) <= 1e-13 * size
    assert bool(certify(solution()).within(TOL))


def test_ratio_moves_neither_with_the_order_nor_with_factors():
    x = RNG.standard_normal(D)
    base = float(certify(x).ratio)
    order = RNG.permutation(N)
    assert float(certify(x, problem(A[order], Y[order])).ratio) == pytest.approx(base)
    twice = problem(np.tile(A, (2, 1)), np.tile(Y, 2))
    assert float(certify(x, twice).ratio) == pytest.approx(base)
    for c in (1e-9, 1e9):
        scaled = FiniteSum(
            lambda x, d: c * squares(x, d) + 1e6, np.ones(D), (A, Y),  # noqa: B023
            reference=np.zeros(D),
        )  # fmt: skip
        assert float(certify(x, scaled).ratio) == pytest.approx(base, rel=1e-9)


LIES = {
    "minibatch": lambda: solution(A[:20], Y[:20]),
    "a shard dropped": lambda: solution(A[10:], Y[10:]),
    "a shard counted twice": lambda: solution(
        np.concatenate([A, A[:10]]), np.concatenate([Y, Y[:10]])
    ),
    "one over workers instead of n_i over n": lambda: solution(
        weight=np.repeat([1 / 5, 1 / 25], [5, 25])
    ),
    "one term moved": lambda: solution(Y=Y + 1e-3 * np.eye(N)[4]),
    "perturbed": lambda: solution() + 1e-6,
    "swapped": lambda: solution()[::-1],
    "rescaled": lambda: 1.001 * solution(),
    "negative": lambda: -solution(),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_answer_of_another_sum_is_not_certified(lie):
    cert = certify(LIES[lie]())
    assert not bool(cert.within(TOL)) and not bool(cert.refuted())


def test_terms_missing_or_repeated_are_refuted_even_at_a_loose_tolerance():
    p, x = problem(), solution()
    for rows in (np.arange(29), np.arange(1), np.arange(N).repeat(2)):
        bad = eqx.tree_at(lambda q: q.data, p, (A[rows], Y[rows]))
        cert = certify(x, bad)
        assert bool(cert.refuted())
        assert not bool(cert.within(1e9)) and not bool(cert.absolute().within(1e9))
        r = bn.solve(bad, "lbfgs", tol=1e-3)
        assert r.status == "refuted" and "every term once" in str(r)


def test_noise_in_terms_is_off_in_the_check():
    def noisy(x, d, key):
        return squares(x, d) + jax.random.normal(key) * x[0]

    p = problem(noisy=noisy)
    values = [
        judged(FullSum(), p, Point(solution() + 1e-3), seed)[0].parts[0].value
        for seed in (0, 1)
    ]
    assert float(values[0]) == float(values[1])
    assert float(values[0]) == float(certify(solution() + 1e-3).parts[0].value)


def test_a_garbage_witness_changes_nothing():
    x = solution() + 1e-4
    plain = certify(x)
    for dual in (np.full(D, np.nan), np.ones(D), None):
        cert = judged(FullSum(), problem(), Point(x, dual))[0]
        assert float(cert.ratio) == float(plain.ratio)


def test_nan_is_never_certified():
    for x in (np.full(D, np.nan), np.array([np.inf, 0, 0])):
        assert not bool(certify(x).within(1e9))


def test_the_screen_hides_nothing_that_passes():
    for x in (solution() + 1e-3, solution() + 1e-9, solution()):
        full, quick = certify(x), certify(x, screen=TOL)
        assert bool(full.within(TOL)) == bool(quick.within(TOL))
    slack = float(full.parts[0].slack)
    assert float(quick.parts[0].slack) == pytest.approx(slack, rel=1e-6)


def test_strong_bounds_come_from_the_facts():
    p = problem(l2=0.5, convex=True)
    best = np.linalg.solve(A.T @ A / N + 0.5 * np.eye(D), A.T @ Y / N)
    r = bn.solve(p, "lbfgs", check="strong_distance", tol=1e-6)
    assert r.certified and r.certificate.grade == "bound"
    c = r.certificate
    assert np.linalg.norm(r.x - best) <= float(c.value + c.slack)
    assert any("mu: declared" in line for line in c.assumes)


def test_other_kinds_are_refused_with_the_cure():
    plain = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2))
    with pytest.raises(bn.Misuse, match="check='stationarity'"):
        bn.solve(plain, check="full_sum")


def test_its_cost_is_one_pass():
    assert FullSum().cost(problem()) == {"value": 1, "grad": 1}
    assert FullSum().screens()
