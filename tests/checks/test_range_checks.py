"""Near the ends of the float range, the checks beside the gap.

Truth in rational arithmetic where there is a formula; otherwise the problem is
rescaled by powers of two, which changes no bit of the truth but its exponent.
"""

import math
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

import banach as bn
from banach.checks import rounding
from banach.checks.fixed_point import Contraction
from banach.checks.frank_wolfe import FrankWolfeGap
from banach.checks.strong import BallGap, StrongDistance, StrongGap
from banach.core.point import Point
from banach.kinds.convex_relu.check import ReluGap
from banach.kinds.elliptic.check import EnergyDistance, EnergyGap
from banach.kinds.linear.check import EnergyError, LinearDistance, LinearResidual
from banach.kinds.smooth.problem import Smooth
from banach.kinds.transport.check import TransportGap
from banach.kinds.transport.exact_check import ExactTransportGap
from banach.terms.sets import Box

LD = np.longdouble
LANES = 200
ENDS = (300, 150, 40)


def powers(rng, end, *shape):
    """Numbers of either sign, their logarithms uniform."""
    return 10.0 ** rng.uniform(-end, end, shape) * rng.choice([-1, 1], shape)


def near(rng, best, end):
    """Points at the solutions, around them, far from them, and zeros."""
    with np.errstate(all="ignore"):
        sides = [
            best,
            best * (1 + 10.0 ** rng.uniform(-16, 0, best.shape)),
            best * 10.0 ** rng.uniform(-end, end, best.shape),
            0 * best,
        ]
        x = np.choose(rng.integers(0, 4, (len(best), 1)), sides)
    return np.where(np.isfinite(x), x, 0.0)


def look(make, check):
    """Value, slack, scale and verdict of all lanes, from `make(*data)`."""

    @jax.jit
    @jax.vmap
    def run(data, x):
        certificate, _ = judged(check, make(*data), Point(x))
        part = certificate.parts[0]
        return part.value, part.slack, part.scale, certificate.refuted()

    return run


def claims(value, slack):
    """value + slack as Fractions, by lane, where both are finite."""
    for i in np.flatnonzero(np.isfinite(value) & np.isfinite(slack)):
        yield i, Fraction(float(value[i])) + Fraction(float(slack[i]))


def fractions(*rows):
    return [[Fraction(float(v)) for v in np.ravel(row)] for row in rows]


def parabola(x, h, b):
    return jnp.sum(h * x * x / 2 - b * x)


STRONG = {
    StrongGap: lambda g, h: sum(p * p / q for p, q in zip(g, h, strict=True)) / 2,
    StrongDistance: lambda g, h: sum((p / q) ** 2 for p, q in zip(g, h, strict=True)),
    BallGap: lambda g, h: sum(p * p / q for p, q in zip(g, h, strict=True)) / 2,
}


@pytest.mark.parametrize("check", STRONG)
def test_bounds_from_the_gradient(check):
    rng = np.random.default_rng(1)

    def make(h, b, R):
        zero = jnp.zeros_like(b)
        facts = {"mu": jnp.min(h), "radius": R, "convex": True, "reference": zero}
        return Smooth(parabola, zero, (h, b), **facts)

    run, looks = look(make, check()), 0
    for end in ENDS:
        h, b = abs(powers(rng, end, LANES, 1)), powers(rng, end, LANES, 1)
        h, b = h * rng.uniform(1, 9, (LANES, 2)), b * rng.normal(size=(LANES, 2))
        with np.errstate(all="ignore"):
            best = b / h
            R = 1.001 * np.abs(best).sum(1)
        fine = np.isfinite(R) & (R > 0)
        h, b, best, R = h[fine], b[fine], best[fine], R[fine]
        x = near(rng, best, end)
        value, slack, scale, refuted = map(np.asarray, run((h, b, R), x))
        assert not np.any(refuted)
        for i, claim in claims(value, slack):
            f, g, v = fractions(h[i], b[i], x[i])
            g = [p * q - r for p, q, r in zip(f, v, g, strict=True)]
            truth, looks = STRONG[check](g, f), looks + 1
            assert (claim**2 if check is StrongDistance else claim) >= truth
            if check is StrongGap and 0 < scale[i] != 1:
                (r,) = fractions(b[i])
                four = sum(p * p for p in r) ** 2
                bend = sum(p * p * q for p, q in zip(r, f, strict=True))
                assert Fraction(float(scale[i])) <= four / bend / 2 * Fraction(1.000001)
    assert looks > 200


def test_a_vanished_square_over_a_tiny_mu():
    # Squares of gradients are 1e-340 here, and gaps 1e-40.
    for size, mu in ((1e130, 1e-300), (1e-20, 1e-280)):
        problem = Smooth(parabola, np.full(1, size), (mu, 0.0), mu=mu)
        part = judged(StrongGap(), problem, Point(problem.x0))[0].parts[0]
        assert float(part.value) == pytest.approx(mu * size * size / 2, rel=1e-12)


@pytest.mark.parametrize("check", [EnergyGap, EnergyDistance])
def test_energy_norms(check):
    rng = np.random.default_rng(2)

    def make(load):
        return bn.EllipticEnergy(lambda s: s / 2, load, lower=1.0, upper=1.0)

    run, looks = look(lambda load: make(load), check()), 0
    for end in ENDS:
        load = powers(rng, end, LANES, 1) * rng.normal(size=(LANES, 2))
        # Two nodes, h = 1/3: K = 3 (2, -1; -1, 2), and h load on the right.
        best = load @ np.array([[2.0, 1.0], [1.0, 2.0]]) / 27
        x = near(rng, best, end)
        value, slack, _, refuted = map(np.asarray, run((load,), x))
        assert not np.any(refuted)
        for i, claim in claims(value, slack):
            f, u = fractions(load[i], x[i])
            r = [3 * (2 * u[0] - u[1]) - f[0] / 3, 3 * (2 * u[1] - u[0]) - f[1] / 3]
            square = (2 * r[0] ** 2 + 2 * r[0] * r[1] + 2 * r[1] ** 2) / 9
            truth, looks = square / (2 if check is EnergyGap else 1), looks + 1
            # The load enters as h load, h = 1/3 rounded: a relative 1e-15 of it.
            own = sum(abs(v) for v in f) ** 2 * Fraction(1e-15) ** 2
            assert (claim if check is EnergyGap else claim**2) >= truth - own
    assert looks > 200


LINEAR = (LinearResidual, LinearDistance, EnergyError)


@pytest.mark.parametrize("check", LINEAR)
def test_linear_systems(check):
    rng = np.random.default_rng(4)
    base = np.array([[2.0, 1.0], [1.0, 3.0]])
    template = bn.Linear(base, np.ones(2), positive_definite=True)

    def make(A, b):
        return eqx.tree_at(lambda p: (p.A.entries, p.b), template, (A, b))

    run, looks = look(make, check()), 0
    for end in ENDS:
        A = abs(powers(rng, end, LANES, 1, 1)) * base
        if check is LinearResidual:
            with np.errstate(all="ignore"):
                A = A * powers(rng, end / 4, LANES, 2, 2)
        b = powers(rng, end, LANES, 1) * rng.normal(size=(LANES, 2))
        with np.errstate(all="ignore"):
            best = b @ np.linalg.inv(base) / A[:, 0, :1] * 2
        x = near(rng, best, end)
        value, slack, *_ = map(np.asarray, run((A, b), x))
        for i, claim in claims(value, slack):
            (p, q, r, s), t, u = fractions(A[i], b[i], x[i])
            e = [t[0] - p * u[0] - q * u[1], t[1] - r * u[0] - s * u[1]]
            looks += 1
            if check is LinearResidual:
                truth = e[0] ** 2 + e[1] ** 2
            else:
                det = p * s - q * r
                d = [(s * e[0] - q * e[1]) / det, (p * e[1] - r * e[0]) / det]
                truth = d[0] ** 2 + d[1] ** 2
                if check is EnergyError:
                    truth = d[0] * e[0] + d[1] * e[1]
            assert claim**2 >= truth
    assert looks > 100


def test_frank_wolfe_gaps():
    rng = np.random.default_rng(6)

    def make(h, b, R):
        return bn.Composite(
            lambda x, h, b: parabola(x, h, b),
            Box(-R, R, bounded=True),
            jnp.zeros_like(b),
            args=(h, b),
            convex=True,
        )

    run, looks = look(make, FrankWolfeGap()), 0
    for end in ENDS:
        h, b = abs(powers(rng, end, LANES, 2)), powers(rng, end, LANES, 2)
        R = abs(powers(rng, end, LANES))
        x = R[:, None] * rng.uniform(-1, 1, (LANES, 2)) ** 3
        value, slack, *_ = map(np.asarray, run((h, b, R), x))
        for i, claim in claims(value, slack):
            f, g, u = fractions(h[i], b[i], x[i])
            r, looks = Fraction(float(R[i])), looks + 1
            g = [p * v - q for p, q, v in zip(f, g, u, strict=True)]
            assert claim >= sum(p * v + abs(p) * r for p, v in zip(g, u, strict=True))
    assert looks > 200


def test_distances_to_a_fixed_point():
    rng = np.random.default_rng(8)

    def make(q, c):
        template = bn.FixedPoint(
            lambda x, q, c: q * x + c, np.ones(2), (0.5, np.ones(2)), contraction=0.5
        )
        return eqx.tree_at(lambda p: (p.args, p.q), template, ((q, c), q))

    run, looks = look(make, Contraction()), 0
    for end in ENDS:
        q = rng.uniform(0.1, 0.9, LANES)
        c = powers(rng, end, LANES, 1) * rng.normal(size=(LANES, 2))
        x = near(rng, c / (1 - q[:, None]), end)
        value, slack, *_ = map(np.asarray, run((q, c), x))
        for i, claim in claims(value, slack):
            (k,), b, u = fractions(q[i], c[i], x[i])
            looks += 1
            assert claim**2 >= sum(
                (v - w / (1 - k)) ** 2 for v, w in zip(u, b, strict=True)
            )
    assert looks > 200


PROGRAMS = {
    "product and quotient": lambda x, y, z: x * y / z,
    "quotient of a product": lambda x, y, z: x / (y * z),
    "three factors": lambda x, y, z: jnp.prod(jnp.stack([x, y, z])),
    "exponential": lambda x, y, z: jnp.exp(x) * y * z,
    "expm1": lambda x, y, z: jnp.expm1(x * y) * z,
    "powers": lambda x, y, z: (x * y) ** -2 * z,
    "root": lambda x, y, z: jnp.sqrt(jnp.abs(x * y)) * z,
    "reciprocal root": lambda x, y, z: z / jnp.sqrt(jnp.abs(x * y)),
    "asinh": lambda x, y, z: jnp.arcsinh(x + y) * z,
    "atan": lambda x, y, z: jnp.arctan(x - y) * z,
    "differences": lambda x, y, z: (x * y - x) * z,
    "norm": lambda x, y, z: jnp.linalg.norm(jnp.stack([x, y])) * z,
    "dot": lambda x, y, z: jnp.stack([x, y]) @ jnp.stack([y, z]),
    "log": lambda x, y, z: jnp.log(jnp.abs(x)) * y + z,
}
NUMPY = {"exp", "expm1", "sqrt", "abs", "arcsinh", "arctan", "log"}


def in_extended_precision(name, x, y, z):
    if name == "three factors":
        return x * y * z
    if name == "norm":
        return np.sqrt(x * x + y * y) * z
    if name == "dot":
        return x * y + y * z
    code = {
        "product and quotient": lambda: x * y / z,
        "quotient of a product": lambda: x / (y * z),
        "exponential": lambda: np.exp(x) * y * z,
        "expm1": lambda: np.expm1(x * y) * z,
        "powers": lambda: z / (x * y) ** 2,
        "root": lambda: np.sqrt(abs(x * y)) * z,
        "reciprocal root": lambda: z / np.sqrt(abs(x * y)),
        "asinh": lambda: np.arcsinh(x + y) * z,
        "atan": lambda: np.arctan(x - y) * z,
        "differences": lambda: (x * y - x) * z,
        "log": lambda: np.log(abs(x)) * y + z,
    }
    return code[name]()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_running_errors(dtype):
    rng = np.random.default_rng(10)
    end = {np.float64: 300, np.float32: 36}[dtype]

    @jax.jit
    @jax.vmap
    def run(x, y, z):
        def both(x, y, z):
            return [f(x, y, z) for f in PROGRAMS.values()]

        return rounding.with_error(both)(x, y, z)

    with np.errstate(all="ignore"):
        data = [
            np.concatenate([powers(rng, e, 400) for e in (end, end / 2, 3)]).astype(
                dtype
            )
            for _ in range(3)
        ]
        values, errors = run(*data)
        told = 0
        for name, value, error in zip(PROGRAMS, values, errors, strict=True):
            truth = in_extended_precision(name, *map(LD, data))
            value, error = np.asarray(value), np.asarray(error)
            good = np.isfinite(value) & np.isfinite(error) & np.isfinite(truth)
            told += int(good.sum())
            away = abs(LD(value) - truth)
            assert np.all(away <= LD(error) + abs(truth) * 1e-18, where=good), name
    assert told > 5000


def test_running_errors_know_nothing_of_what_is_read_as_zero():
    def f(x, y):
        return x * y

    for x, y in ((3e-310, 1e300), (1e300, 5e-320)):
        _, error = rounding.with_error(f)(jnp.asarray(x), jnp.asarray(y))
        assert math.isinf(float(error))
    _, error = rounding.with_error(lambda y: 1e-310 * y)(jnp.asarray(1e300))
    assert float(error) >= 1e-10


def powers_of_two(rng, end, count):
    return np.round(rng.uniform(-end, end, (count, LANES)) * math.log2(10)).astype(int)


@pytest.mark.parametrize("check", [TransportGap, ExactTransportGap])
def test_transport_in_other_units(check):
    rng = np.random.default_rng(11)
    C, a = rng.uniform(0, 1, (3, 3)), np.array([1.0, 2.0, 1.0]) / 4
    b = a[::-1].copy()
    template = bn.Transport(C, a, b, 0.25)
    x = (rng.normal(size=3) / 8, rng.normal(size=3) / 8)

    def make(C, a, b, eps):
        where = lambda p: (p.cost.C, p.a, p.b, p.eps)  # noqa: E731
        return eqx.tree_at(where, template, (C, a, b, eps))

    run = look(make, check())
    told = 0
    for end in (300, 150, 70):
        k, m = powers_of_two(rng, end, 2)
        k[0] = m[0] = 0
        cost, mass = np.ldexp(1.0, k), np.ldexp(1.0, m)
        # P = a b exp(.) has the marginals of masses m where exp(.) gains 1 / m.
        gain = cost * (-m * math.log(2)) * 0.25 / 2
        f, g = (
            [v * c + h for v in x[j]] for j, c, h in ((0, cost, gain), (1, cost, gain))
        )
        data = (cost[:, None, None] * C, mass[:, None] * a, mass[:, None] * b, cost / 4)
        where = (np.stack(f, -1), np.stack(g, -1))
        value, slack, _, refuted = map(np.asarray, run(data, where))
        assert not np.any(refuted)
        true = float(value[0])
        for i, claim in claims(value, slack):
            unit = Fraction(2) ** int(k[i] + m[i])
            told += 1
            # Potentials were rounded: exponents of up to 700 are off by 1e-12.
            assert claim >= unit * Fraction(true) * Fraction(1 - 1e-9)
        if end == 70:
            inside = np.isfinite(value + slack)
            assert np.all(inside)
            assert np.all(value <= np.ldexp(true, k + m) * (1 + 1e-6))
    assert told > 250


def test_networks_in_other_units():
    rng = np.random.default_rng(12)
    X, y = rng.normal(size=(5, 2)), rng.normal(size=5)
    template = bn.ConvexRelu(X, y, 0.5)
    x = rng.normal(size=template.space().shape) / 8

    def make(X, y, beta):
        where = lambda p: (p.X, p.y, p.beta)  # noqa: E731
        return eqx.tree_at(where, template, (X, y, beta))

    run, told = look(make, ReluGap()), 0
    for end in (300, 150, 60):
        k, m = powers_of_two(rng, end, 2)
        k[0] = m[0] = 0
        with np.errstate(all="ignore"):
            a, t = np.ldexp(1.0, k), np.ldexp(1.0, m)
            beta, size = 0.5 * np.ldexp(1.0, k + m), np.ldexp(1.0, m - k)
        fine = np.isfinite(a + t + beta + size) & (beta > 0) & (size > 0)
        k, m, a, t, beta, size = (v[fine] for v in (k, m, a, t, beta, size))
        data = (a[:, None, None] * X, t[:, None] * y, beta)
        value, slack, scale, refuted = map(
            np.asarray, run(data, size[:, None, None, None] * x)
        )
        assert not np.any(refuted)
        for i, claim in claims(value, slack):
            unit, told = Fraction(4) ** int(m[i]), told + 1
            low = Fraction(float(value[0])) - Fraction(float(slack[0]))
            assert claim >= unit * low
            assert Fraction(float(scale[i])) <= unit * Fraction(float(scale[0])) * 2
        if end == 60:
            assert np.all(np.isfinite(value + slack))
            assert np.all(value <= np.ldexp(float(value[0]), 2 * m) * (1 + 1e-6))
    assert told > 200
