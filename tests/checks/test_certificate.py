"""What `within` may never accept, and what every check has in common."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import judged

from banach import checks
from banach.checks import evaluation
from banach.core.check import Certificate, Part, single
from banach.core.point import Point
from banach.core.tree import all_finite
from banach.kinds.composite.problem import Composite
from banach.kinds.root.problem import Root
from banach.kinds.smooth.problem import Smooth
from banach.terms.sets import Simplex

C = np.array([0.5, 0.2, 0.3])


def square(x, c):
    return 0.5 * jnp.sum((x - c) ** 2)


FACTS = {"L": 1.0, "mu": 1.0, "radius": 2.0, "reference": np.zeros(3)}
SMOOTH = Smooth(square, np.zeros(3), (C,), **FACTS)
SIMPLEX = Composite(SMOOTH, Simplex())
ROOT = Root(lambda x, c: x - c, np.zeros(3), (C,))
# name -> (problem, hyperparameters); each certifies at C
CASES = {
    "stationarity": (SMOOTH, {}),
    "second_order": (SMOOTH, {}),
    "strong_gap": (SMOOTH, {}),
    "strong_distance": (SMOOTH, {}),
    "ball_gap": (SMOOTH, {}),
    "goal": (SMOOTH, {"target": 1e-9}),
    "step": (SIMPLEX, {}),
    "frank_wolfe": (SIMPLEX, {}),
    "residual": (ROOT, {}),
    "enclosure": (ROOT, {}),
}


def certificate(value, slack=0.0, scale=1.0, **kw):
    return single("q", value, slack, scale, grade="residual", **kw)


@pytest.mark.parametrize(
    ("value", "slack", "scale"),
    [
        (-5.0, 0.0, 1.0),
        (-5.0, 1.0, 1.0),
        (np.nan, 0.0, 1.0),
        (np.inf, 0.0, 1.0),
        (-np.inf, np.inf, 1.0),
        (0.0, np.nan, 1.0),
        (0.0, -1e-3, 1.0),
        (0.0, np.inf, 1.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, -1.0),
        (0.0, 0.0, np.nan),
        (0.0, 0.0, np.inf),
        (1e-3, 0.0, 1.0),
        (0.0, 1e-3, 1.0),
    ],
)
def test_never_within(value, slack, scale):
    assert not bool(certificate(value, slack, scale).within(1e-6))


@pytest.mark.parametrize("tol", [np.nan, -1.0])
def test_no_tolerance_that_is_not_positive(tol):
    assert not bool(certificate(0.0, 1e-20).within(tol))


def test_a_negative_gap_is_refuted_and_rounding_is_not():
    assert bool(certificate(-5.0, 0.1).refuted())
    assert not bool(certificate(-0.05, 0.1).refuted())
    assert bool(certificate(-0.05, 0.1).within(0.2))
    assert not bool(certificate(-5.0, 0.1, signed=True).refuted())
    assert bool(certificate(-5.0, 0.1, signed=True).within(1e-6))


def test_roundings_go_outward():
    tol = 0.1
    assert not bool(certificate(tol, 0.0).within(tol))
    assert not bool(certificate(np.nextafter(tol, 0), 0.0).within(tol))
    assert bool(certificate(tol * (1 - 1e-15), 0.0).within(tol))
    # 0.1 + 1e-17 rounds to 0.1: the true sum is above.
    assert not bool(certificate(0.1, 1e-17).within(0.1))


def test_every_part_must_pass():
    def part(v):
        return Part("p", jnp.asarray(v), jnp.asarray(0.0), jnp.asarray(1.0))

    good, bad = part(1e-9), part(1e-3)
    both = Certificate((good, bad), "q", "residual")
    assert not bool(both.within(1e-6)) and float(both.value) == 1e-3
    assert bool(Certificate((good, good), "q", "residual").within(1e-6))
    negative = Certificate((good, part(-1.0)), "q", "residual")
    assert bool(negative.refuted()) and not bool(negative.within(1.0))


def run(name, x, dual=None, key=0):
    problem, hyper = CASES[name]
    check = checks.by_name(name, **hyper).prepared(problem)
    return judged(check, problem, Point(x, dual), key)


def bits(tree):
    return [np.asarray(v).tobytes() for v in jax.tree.leaves(tree)]


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_solution_passes_and_a_perturbed_one_does_not(name):
    cert, point = run(name, C)
    assert bool(cert.within(1e-6)) and bool(all_finite(point.x))
    assert not bool(cert.refuted())
    if name not in ("step",):
        far = run(name, C + np.array([0.1, -0.1, 0.0]))[0]
        assert not bool(far.within(1e-6))


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_forged_or_nan_witness_equals_none(name):
    base = bits(run(name, C + 1e-3, None))
    for dual in (np.full(3, np.nan), np.full(7, 1e9), {"y": np.zeros(3)}):
        cert, point = run(name, C + 1e-3, dual)
        assert bits((cert, Point(point.x))) == base


@pytest.mark.parametrize("name", sorted(CASES))
def test_nan_points_never_pass(name):
    for x in (np.full(3, np.nan), np.array([0.5, np.nan, 0.3]), np.full(3, np.inf)):
        assert not bool(run(name, x)[0].within(1e6))


@pytest.mark.parametrize("name", sorted(CASES))
def test_swapped_data_do_not_pass(name):
    problem, hyper = CASES[name]
    swap = C[::-1].copy()
    other = jax.tree.map(
        lambda v: swap if np.shape(v) == (3,) and np.array_equal(v, C) else v, problem
    )
    check = checks.by_name(name, **hyper)
    _, point = judged(check, problem, Point(C))
    assert bool(judged(check, problem, point)[0].within(1e-6))
    cert, after = judged(check, other, point)
    if name == "step" and bool(cert.within(1e-6)):
        # One step of 1 / L solves this problem: what is certified is what it returns.
        np.testing.assert_allclose(after.x, swap, atol=1e-9)
        return
    assert not bool(cert.within(1e-6))


class Counting:
    """Forward to a problem, counting calls of its oracles by name."""

    def __init__(self, problem, counts):
        self._problem, self._counts = problem, counts

    def __getattr__(self, name):
        value = getattr(self._problem, name)
        if name == "undefined":
            return functools.partial(type(self._problem).undefined, self)
        if name not in ("value", "grad", "hvp", "hess", "prox", "lmo", "residual"):
            return value

        def counted(*args):
            self._counts[name] = self._counts.get(name, 0) + 1
            return value(*args)

        return counted


@pytest.mark.parametrize("name", ["stationarity", "second_order", "step", "residual"])
def test_declared_cost_equals_counted_calls(name, monkeypatch):
    problem, hyper = CASES[name]
    check = checks.by_name(name, **hyper).prepared(problem)
    counts = {}

    # Tracing for the rounding rules is no evaluation.
    monkeypatch.setattr(evaluation, "Traced", Evaluated)
    monkeypatch.setattr(evaluation, "provenance", lambda fun, x: Evaluated.rounding)
    monkeypatch.setattr(evaluation, "lift", lambda p, q: (p, q))
    check(Counting(problem, counts), Point(jnp.asarray(C)), jax.random.key(0), 0)
    assert counts == dict(check.cost(problem))


class Evaluated:
    """`common.Traced` without a trace: what it evaluates is what is counted."""

    rounding = "modelled"

    def __init__(self, fun, x):
        self.fun, self.x = fun, x

    def judge(self):
        value = self.fun(self.x)
        return evaluation.Judged(
            value, jax.tree.map(jnp.zeros_like, value), self.rounding
        )


@pytest.mark.parametrize("name", sorted(set(CASES) - {"enclosure"}))
def test_lanes_agree_with_solo_runs_and_poison_stays_in_its_lane(name):
    problem, hyper = CASES[name]
    check = checks.by_name(name, **hyper)

    def one(x):
        cert, _ = judged(check, problem, Point(x))
        return cert.within(1e-6), cert.value, cert.slack

    xs = jnp.stack([jnp.asarray(C), jnp.asarray(C) + 0.1, jnp.asarray(C) * jnp.nan])
    verdict, value, slack = jax.jit(jax.vmap(one))(xs)
    clean = jax.jit(jax.vmap(one))(xs.at[2].set(0.0))
    np.testing.assert_array_equal(value[:2], clean[1][:2])
    np.testing.assert_array_equal(slack[:2], clean[2][:2])
    assert not bool(verdict[2])
    for i in (0, 1):
        solo = one(xs[i])
        assert bool(solo[0]) == bool(verdict[i])
        np.testing.assert_allclose(solo[1], value[i], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", ["stationarity", "strong_gap", "ball_gap", "step"])
def test_single_precision_without_double(name):
    with jax.enable_x64(False):
        a, x = jnp.float32(0.3), jnp.asarray(C, jnp.float32)
        p = Smooth(
            lambda x, a, c: 0.5 * jnp.sum((a * (x - c) + 0.7 * a - a * 0.7) ** 2),
            jnp.zeros(3),
            (a, x),
            L=0.09001,
            mu=0.08999,
            radius=2.0,
            reference=x - 1,
        )
        p = Composite(p, Simplex()) if name == "step" else p
        cert, point = judged(checks.by_name(name), p, Point(x))
        assert cert.parts[0].value.dtype == jnp.float32 == point.x.dtype
        assert bool(cert.within(1e-4))
        assert not bool(cert.within(1e-17))


def test_the_registry_builds_every_check():
    for cls, name in checks.classes().items():
        assert getattr(checks, cls).name == name
    assert set(CASES) < set(checks.names())
    with pytest.raises(ValueError, match="the checks are"):
        checks.by_name("nothing")
    for name in CASES:
        problem, hyper = CASES[name]
        check = checks.by_name(name, **hyper)
        assert check.name == name and check.refuses(problem) is None
