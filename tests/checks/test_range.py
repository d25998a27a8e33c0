"""Near the ends of the float range: certified rightly, or not at all.

XLA writes 0 for results below the smallest normal number and reads 0 there too.
Scales are drawn independently over the whole range of a dtype, and the truth is
computed in rational arithmetic, or in extended precision where it has exponentials.
"""

from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.checks.evaluation import lift
from banach.checks.gap import Gap, GapDistance
from banach.core.point import Point
from banach.core.rounding import subnormal
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from banach.kinds.glm.problem import GLM
from banach.terms.norms import ElasticNet, SquaredL2
from banach.terms.sets import Box

LD = np.longdouble
LANES = 300
# Largest power of ten that is drawn, by dtype.
ENDS = {np.float64: 300, np.float32: 37}
A0, Y0, W0 = np.array([[1.0], [2.0]]), np.array([1.0, 3.0]), np.array([1.0, 2.0])


def powers(rng, end, *shape):
    """Numbers of either sign, their logarithms uniform."""
    return 10.0 ** rng.uniform(-end, end, shape) * rng.choice([-1, 1], shape)


def kept(dtype, *columns):
    """The columns in a dtype, and the lanes where all are finite."""
    with np.errstate(all="ignore"):
        columns = [np.asarray(c, dtype) for c in columns]
    fine = np.all([np.isfinite(c).reshape(len(c), -1).all(1) for c in columns], 0)
    return [c[fine] for c in columns]


def drawn(rng, dtype, end, coupled):
    """(A, y, w, l1, l2, radius): independent, or such that no part is negligible."""
    A, y = powers(rng, end, LANES, 1, 1), powers(rng, end, LANES, 1)
    A, y = A * rng.normal(size=(LANES, 2, 1)), y * rng.normal(size=(LANES, 2))
    w = abs(powers(rng, end, LANES, 1)) * rng.uniform(1, 3, (LANES, 2))
    l1, l2, radius = (abs(powers(rng, end, LANES)) for _ in range(3))
    if coupled:
        a, b = np.abs(A).max((1, 2)), np.abs(y).max(1)
        some = [10.0 ** rng.uniform(-2, 1, LANES) for _ in range(3)]
        with np.errstate(all="ignore"):
            mass = w.sum(1)
            l1, l2, radius = mass * a * b, mass * a * a, b / a
        l1, l2, radius = (u * s for u, s in zip((l1, l2, radius), some, strict=True))
    A, y, w, l1, l2, radius = kept(dtype, A, y, w, l1, l2, radius)
    alive = (w > 0).all(1) & (l1 > 0) & (l2 > 0) & (radius > 0)
    return [c[alive] for c in (A, y, w, l1, l2, radius)]


def points(rng, dtype, end, best):
    """Zeros, the solutions, points around them at all distances, and anything."""
    n = len(best)
    kind = rng.integers(0, 5, n)
    with np.errstate(all="ignore"):
        around = best * (1 + rng.normal(size=n) * 10.0 ** rng.uniform(-16, 0, n))
        far = best * 10.0 ** rng.uniform(-end, end, n)
        x = np.choose(kind, [0 * best, best, around, far, powers(rng, end, n)])
        x = np.where(np.isfinite(x), x, 0).astype(dtype)
        return np.where(np.isfinite(x), x, 0)[:, None], kind == 1


def look(template, where, check=Gap):
    """A program for certificates of all lanes of a kind; data replace `where`."""

    @jax.jit
    @jax.vmap
    def run(data, x):
        problem = eqx.tree_at(where, template, data)
        certificate, at = check()(problem, Point(x), None, 0)
        part = certificate.parts[0]
        tight = certificate.within(1e-6)
        return part.value, part.slack, part.scale, at.x, tight

    return run


def net(p):
    return p.A, p.y, p.weight, p.term.l1, p.term.l2


def box(p):
    return p.A, p.y, p.weight, p.term.lower, p.term.upper


def exact(A, y, w, l1, l2, radius):
    """F and its minimiser, in one variable, as Fractions."""
    a = [Fraction(float(v)) for v in A[:, 0]]
    y, w = ([Fraction(float(v)) for v in c] for c in (y, w))
    l1, l2 = Fraction(float(l1)), Fraction(float(l2))
    q = sum(u * v * v for u, v in zip(w, a, strict=True)) + l2
    b = sum(u * v * t for u, v, t in zip(w, a, y, strict=True))
    best = max(abs(b) - l1, 0) / q if q else Fraction(0)
    best = best if b > 0 else -best
    if radius is not None:
        end = Fraction(float(radius))
        best = min(max(best, -end), end)

    def F(x):
        r = [v * x - t for v, t in zip(a, y, strict=True)]
        fit = sum(u * e * e for u, e in zip(w, r, strict=True)) / 2
        return fit + l1 * abs(x) + l2 * x * x / 2

    return F, best


def rounded(x, dtype):
    try:
        with np.errstate(over="ignore"):
            return dtype(float(x))
    except OverflowError:
        return dtype(np.inf)


@pytest.mark.parametrize("dtype", ENDS)
@pytest.mark.parametrize("kind", ["net", "box"])
def test_gaps_of_least_squares_against_rational_arithmetic(kind, dtype):
    rng = np.random.default_rng(3)
    term = ElasticNet(1.0, 1.0) if kind == "net" else Box(-1.0, 1.0)
    template = GLM(A0, Y0, SquaredLoss(), term, sample_weight=W0)
    run = look(template, net if kind == "net" else box)
    looks = certified = 0
    for end, coupled in [(e, c) for e in (1, 0.5, 0.25) for c in (False, True)]:
        end = end * ENDS[dtype]
        A, y, w, l1, l2, radius = drawn(rng, dtype, end, coupled)
        if kind == "net":
            data, stated = (A, y, w, l1, l2), [None] * len(A)
        else:
            l1, l2 = 0 * l1, 0 * l2
            data, stated = (A, y, w, -radius, radius), radius
        truths = [exact(*c) for c in zip(A, y, w, l1, l2, stated, strict=True)]
        best = np.array([rounded(b, dtype) for _, b in truths])
        x, _ = points(rng, dtype, end, best)
        value, slack, scale, at, tight = map(np.asarray, run(data, x))
        for i, (F, b) in enumerate(truths):
            if not np.isfinite(value[i] + slack[i]):
                continue
            null, gap = F(Fraction(0)), F(Fraction(float(at[i, 0]))) - F(b)
            looks += 1
            assert Fraction(float(value[i])) + Fraction(float(slack[i])) >= gap
            if null > 0 and np.isfinite(scale[i]):
                assert Fraction(float(scale[i])) <= null * (1 + Fraction(1e-9))
            if tight[i]:
                certified += 1
                assert gap <= null * Fraction(1e-6)
    assert looks > 500 and certified > 50


@pytest.mark.parametrize("dtype", ENDS)
def test_solutions_at_moderate_scales_are_certified(dtype):
    rng = np.random.default_rng(5)
    end = {np.float64: 30, np.float32: 6}[dtype]
    run = look(GLM(A0, Y0, SquaredLoss(), ElasticNet(1.0, 1.0), sample_weight=W0), net)
    A, y, w, l1, l2, _ = drawn(rng, dtype, end, True)
    truths = [exact(*c, None) for c in zip(A, y, w, l1, l2, strict=True)]
    best = np.array([rounded(b, np.float64) for _, b in truths])
    tight = run((A, y, w, l1, l2), best.astype(dtype)[:, None])[-1]
    assert len(tight) == LANES and np.all(tight)


LOSSES = {
    "huber": HuberLoss(1.0),
    "hinge": SquaredHingeLoss(),
    "logistic": LogisticLoss(),
}


def losses(name, z, y, d):
    if name == "huber":
        r = abs(z - y)
        c = np.minimum(r, d)
        return c * (r - c / 2)
    if name == "hinge":
        return np.maximum(1 - y * z, 0) ** 2 / 2
    return np.log1p(np.exp(-abs(y * z))) + np.maximum(-y * z, 0)


def slopes(name, z, y, d):
    if name == "huber":
        return np.clip(z - y, -d, d)
    if name == "hinge":
        return -y * np.maximum(1 - y * z, 0)
    e = np.exp(-abs(y * z))
    return -y * np.where(y * z > 0, e / (1 + e), 1 / (1 + e))


@pytest.mark.parametrize("name", LOSSES)
def test_gaps_of_other_losses_against_extended_precision(name):
    rng = np.random.default_rng(7)
    loss, dtype = LOSSES[name], np.float64
    y0 = Y0 if name == "huber" else np.array([1.0, -1.0])
    template = GLM(A0, y0, loss, SquaredL2(1.0), sample_weight=W0)
    where = [lambda p: p.A, lambda p: p.weight, lambda p: p.term.lam]
    if name == "huber":
        where += [lambda p: p.y, lambda p: p.loss.delta]
    run = look(template, lambda p: tuple(f(p) for f in where))
    looks = 0
    for end, coupled in [(e, c) for e in (300, 120, 40) for c in (False, True)]:
        A, y, w, _, l2, d = drawn(rng, dtype, end, coupled)
        d = np.clip(d * 0.1, 1e-300, 1e300) if name == "huber" else d
        y = y if name == "huber" else np.tile(y0, (len(A), 1))
        big = [LD(c) for c in (A[:, :, 0], y, w, l2)]
        wide = LD(d)[:, None]

        def F(x, big=big, wide=wide):
            a, t, u, lam = big
            fit = np.sum(u * losses(name, a * x[:, None], t, wide), 1)
            return fit + lam * x * x / 2

        def steep(x, big=big, wide=wide):
            a, t, u, lam = big
            return np.sum(u * a * slopes(name, a * x[:, None], t, wide), 1) + lam * x

        # The minimiser lies between 0 and a bound from the slope at 0.
        end_ = -2 * steep(LD(np.zeros(len(A)))) / big[3]
        low, high = LD(np.zeros(len(A))), end_
        for _ in range(400):
            middle = (low + high) / 2
            same = steep(middle) * np.sign(end_) < 0
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        best = low
        with np.errstate(all="ignore"):
            x, _ = points(rng, dtype, end, np.clip(best, -1e307, 1e307).astype(dtype))
        data = (A, w, l2, y, d) if name == "huber" else (A, w, l2)
        value, slack, scale, at, tight = map(np.asarray, run(data, x))
        here, null = F(LD(at[:, 0])), F(LD(np.zeros(len(A))))
        gap = here - F(best)
        own = 1e-17 * here
        good = np.isfinite(value) & np.isfinite(slack) & np.isfinite(gap)
        looks += int(good.sum())
        assert np.all(LD(value) + LD(slack) >= gap - own, where=good)
        assert np.all(gap - own <= 1e-6 * null, where=np.asarray(tight))
        assert np.all(LD(scale) <= null * (1 + 1e-9), where=(null > 0) & (null < 1e308))
    assert looks > 500


def test_a_root_of_a_gap_neither_vanishes_nor_overflows_before_it():
    run = look(
        GLM(A0, Y0, SquaredLoss(), SquaredL2(1.0)),
        lambda p: (p.A, p.y, p.term.lam),
        GapDistance,
    )
    rng = np.random.default_rng(9)
    for end in (150, 80):
        A, y, _, _, l2, _ = drawn(rng, np.float64, end, True)
        one, none = np.ones(2), np.float64(0)
        best = [exact(a, t, one, none, m, None)[1] for a, t, m in zip(A, y, l2)]  # noqa: B905
        x = powers(rng, end, len(A))[:, None]
        value, slack, *_ = map(np.asarray, run((A, y, l2), x))
        for i in np.flatnonzero(np.isfinite(value + slack)):
            far = abs(Fraction(float(x[i, 0])) - best[i])
            assert Fraction(float(value[i])) + Fraction(float(slack[i])) >= far


def test_what_is_read_as_zero_is_seen_in_its_bits():
    for dtype, small in ((np.float64, 3e-310), (np.float32, 2e-41)):
        x = np.array([1.0, 0.0, small], dtype)
        assert bool(jax.jit(subnormal)(x)) and not bool(jax.jit(subnormal)(x[:2]))
        assert not bool(jax.jit(subnormal)(np.array([np.inf, np.nan, -0.0], dtype)))
    assert not bool(subnormal({"labels": np.arange(3)}))


def test_small_numbers_survive_on_the_way_to_float64():
    x = np.array([2e-41, -3e-45, 0.0, 1.5, -np.inf, 1.1754944e-38], np.float32)
    problem = GLM(x[:1, None], x[3:4], SquaredLoss(), SquaredL2(np.float32(1e-40)))
    judged, at = jax.jit(lift)(problem, Point(x))
    assert np.array_equal(np.asarray(at.x), x.astype(np.float64))
    assert np.asarray(judged.A)[0, 0] == float(x[0])
    assert float(judged.term.lam) == float(np.float32(1e-40))
    assert at.x.dtype == jnp.float64


def test_data_below_the_normal_numbers_certify_nothing():
    for A, y, l2 in [(1e-310, 1.0, 1.0), (1.0, 1e-312, 1.0), (1.0, 1.0, 1e-309)]:
        problem = GLM(
            np.array([[A]]), np.array([y]), SquaredLoss(), ElasticNet(1.0, l2)
        )
        certificate, _ = Gap()(problem, Point(np.zeros(1)), None, 0)
        assert not bool(certificate.within(1e-6))
