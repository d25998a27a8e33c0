"""The pure loop: under jit, vmap and grad; every way that it ends."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import CHECK, A, B, NoisyDescent, long_valley, ridge, ridge_solution

from banach.checks.prox_step import ProxStep
from banach.checks.strong import StrongGap
from banach.core.check import Absolute
from banach.core.method import Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.engine.loop import CODE, run
from banach.kinds.composite.problem import Composite
from banach.kinds.smooth.problem import Smooth
from banach.methods.composite.fista import Fista
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.lbfgs import Lbfgs
from banach.terms.norms import L1

PROBLEM = ridge()
SLOPE = np.array([1.0, -2.0, 0.5, 3.0, -1.0])


def at(lam, b=B):
    """The ridge problem with lam and b as (possibly traced) data."""
    return eqx.tree_at(lambda p: p.args[1:], PROBLEM, (b, lam))


def solve(problem, **options):
    settings = {"tol": 1e-12, "max_steps": 500} | options
    return run(problem, Lbfgs(memory=5), check=CHECK, **settings)


def status(out):
    return int(out.status)


@functools.cache
def jitted():
    return jax.jit(lambda lam, steps: solve(at(lam), max_steps=steps))


def test_jit():
    out = jitted()(0.5, 500)
    assert status(out) == CODE["certified"] and bool(out.certified)
    np.testing.assert_allclose(out.x, ridge_solution(), rtol=1e-10)
    assert int(out.calls["grad"]) >= int(out.steps) + 1 > 2


def test_the_answer_is_the_point_that_the_certificate_speaks_of():
    out = jitted()(0.5, 500)
    cert, _ = CHECK(at(0.5), out.point, jax.random.key(9), 0)
    assert float(cert.value) == pytest.approx(float(out.certificate.value), abs=1e-14)
    assert bool(cert.within(1e-12))


def test_an_uncertified_run_returns_the_best_point_it_met():
    # Just above 2 / L: every direction shrinks but the steepest, which grows.
    method = GradientDescent(2.1 / PROBLEM.L, search=False)
    go = jax.jit(
        lambda n: run(
            PROBLEM, method, check=CHECK, tol=1e-12, max_steps=n, every=1, trace=128
        )
    )
    out = go(80)
    ratios = np.asarray(out.trace.ratio[:81])
    assert status(out) == CODE["budget"] and ratios[-1] > 2 * ratios.min()
    # The trace shows what the look behind the screen saw, the answer its slack too.
    assert float(out.certificate.value_ratio()) == pytest.approx(
        ratios.min(), rel=1e-13
    )
    assert 0 < float(out.certificate.slack) < 1e-12 * float(out.certificate.value)
    assert 0 < int(out.carry.best.step) == int(ratios.argmin()) < 80


def test_vmap_gives_a_verdict_per_lane_and_one_bad_lane_harms_nobody():
    lams = np.array([0.1, 0.5, np.nan, 2.0])
    steps = np.array([500, 500, 500, 3])
    many = jax.jit(jax.vmap(lambda lam, n: solve(at(lam), max_steps=n)))
    out = many(lams, steps)
    names = ["certified", "certified", "nonfinite", "budget"]
    assert out.status.tolist() == [CODE[s] for s in names]
    for i, lam in enumerate(lams[:2]):
        np.testing.assert_allclose(out.x[i], ridge_solution(lam), rtol=1e-10)
    healed = many(np.array([0.1, 0.5, 0.7, 2.0]), steps)
    for i in (0, 1, 3):
        np.testing.assert_array_equal(out.x[i], healed.x[i])
    alone = jitted()(0.5, 500)
    np.testing.assert_allclose(out.x[1], alone.x, rtol=1e-12)
    assert int(out.steps[1]) == int(alone.steps)


def exact_slope(lam):
    """d/dlam of SLOPE . x(lam) for ridge."""
    H = A.T @ A + lam * np.eye(5)
    return -SLOPE @ np.linalg.solve(H, ridge_solution(lam))


def test_derivatives_are_those_of_the_solution():
    def f(lam, b):
        return jnp.vdot(SLOPE, solve(at(lam, b)).x)

    got, pulled = jax.jit(jax.grad(f, argnums=(0, 1)))(0.5, B)
    assert float(got) == pytest.approx(exact_slope(0.5), rel=1e-8)
    H = A.T @ A + 0.5 * np.eye(5)
    np.testing.assert_allclose(pulled, A @ np.linalg.solve(H, SLOPE), rtol=1e-8)
    step = 1e-4
    ends = [SLOPE @ ridge_solution(0.5 + s) for s in (-step, step)]
    assert float(got) == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-6)
    forward = jax.jit(jax.jacfwd(f))(0.5, B)
    assert float(forward) == pytest.approx(float(got), rel=1e-12)


def test_derivatives_of_uncertified_lanes_are_nan():
    def f(lam, n):
        return jnp.vdot(SLOPE, solve(at(lam), max_steps=n).x)

    lams = np.array([0.5, 0.5, np.nan])
    slopes = jax.jit(jax.vmap(jax.grad(f), in_axes=(0, 0)))(lams, np.array([500, 3, 9]))
    assert float(slopes[0]) == pytest.approx(exact_slope(0.5), rel=1e-8)
    assert np.isnan(slopes[1:]).all()


def test_lasso_derivatives_equal_finite_differences():
    L = PROBLEM.L
    lasso = Composite(
        lambda x, A, b: 0.5 * jnp.sum((A @ x - b) ** 2),
        L1(1.5), np.zeros(5), (A, B), L=L, convex=True, reference=np.zeros(5),
    )  # fmt: skip

    def x(lam, b):
        p = eqx.tree_at(lambda p: (p.term, p.smooth.args), lasso, (L1(lam), (A, b)))
        return run(p, Fista(L), check=ProxStep(), tol=1e-12, max_steps=9000).x

    def f(lam, b):
        return jnp.vdot(SLOPE, x(lam, b))

    both = jax.jit(lambda lam, b: (x(lam, b), *jax.grad(f, argnums=(0, 1))(lam, b)))
    found, by_lam, by_b = both(1.5, B)
    on = np.asarray(found) != 0
    assert 0 < on.sum() < 5
    h = 1e-5
    lam_ends = [float(SLOPE @ both(1.5 + s, B)[0]) for s in (-h, h)]
    assert float(by_lam) == pytest.approx((lam_ends[1] - lam_ends[0]) / (2 * h), 1e-6)
    e = np.zeros(12)
    e[3] = h
    b_ends = [float(SLOPE @ both(1.5, B + s * e)[0]) for s in (-1, 1)]
    assert float(by_b[3]) == pytest.approx((b_ends[1] - b_ends[0]) / (2 * h), 1e-5)


def test_a_tolerance_below_the_dtype_is_refused_before_stepping():
    small = ridge(dtype=np.float32)
    with jax.enable_x64(False):
        out = solve(small, tol=1e-9)
        assert status(out) == CODE["unverifiable"] and int(out.steps) == 0
        assert out.x.dtype == jnp.float32
        assert status(solve(small, tol=1e-3)) == CODE["certified"]


def test_slack_that_hides_the_answer_is_unverifiable_later():
    # No reference, so nothing is known before the run: the rounding of terms of
    # size 1e9 hides a gradient of 1e-9.
    f = lambda x, c: 1e9 * jnp.sum(jnp.exp(x) - jnp.exp(c) * x)  # noqa: E731
    problem = Smooth(f, np.zeros(5), (np.linspace(0.1, 0.7, 5),))
    method = GradientDescent(2e-10, search=False)
    out = run(problem, method, check=CHECK, tol=Absolute(1e-9), max_steps=500, every=1)
    assert status(out) == CODE["unverifiable"] and 0 < int(out.steps) < 500
    assert float(out.carry.last.slack) > 1e-9 / 2


def test_stalled():
    # One rounding unit of a float32 start is far from the optimum at 1/3.
    f = lambda x: jnp.sum((3 * x - 1) ** 2)  # noqa: E731
    problem = Smooth(f, np.zeros(5, np.float32))
    method = GradientDescent(1 / 18, search=False)
    out = run(problem, method, check=CHECK, tol=1e-12, max_steps=500)
    assert status(out) == CODE["stalled"] and int(out.steps) < 500
    # float64 looked at the float32 point: 3 x - 1 is off by a rounding unit.
    assert 1e-9 < float(out.certificate.value) < 1e-5
    np.testing.assert_allclose(out.x, 1 / 3, rtol=1e-6)


def test_refuted():
    # mu is declared ten times too large: sampled midpoints contradict it.
    f = lambda x: jnp.sum(jnp.log(jnp.cosh(x - 1)))  # noqa: E731
    problem = Smooth(f, np.zeros(5), mu=10.0)
    method = GradientDescent(1.0, search=False)
    out = run(problem, method, check=StrongGap(), tol=1e-6, max_steps=200)
    assert status(out) == CODE["refuted"] and not bool(out.certified)
    assert any("mu" in line for line in out.carry.last.assumes)


def test_no_steps_still_look():
    start = Point(jnp.asarray(ridge_solution()))
    method = Lbfgs(memory=5)
    out = run(PROBLEM, method, start, check=CHECK, tol=1e-9, max_steps=0)
    assert status(out) == CODE["certified"] and int(out.steps) == 0
    out = run(PROBLEM, method, check=CHECK, tol=1e-9, max_steps=0)
    assert status(out) == CODE["budget"] and int(out.steps) == 0
    np.testing.assert_array_equal(out.x, 0)


def test_nonfinite_is_the_step_and_leaf_where_it_appeared():
    def f(x):
        beyond = jnp.where(x["b"] > 2, jnp.nan, 1.0)
        return jnp.sum(x["a"] ** 2) - x["b"] * beyond

    x0 = {"a": np.ones(3), "b": np.array(1.105)}
    method = GradientDescent(0.01, search=False)
    out = run(
        Smooth(f, x0), method, check=CHECK, tol=1e-9, max_steps=500, every=50, trace=16
    )
    # b grows by 0.01 a step and passes 2 at step 90; the next point is NaN.
    b, step = 1.105, 0
    while b <= 2:
        b, step = b + 0.01, step + 1
    assert status(out) == CODE["nonfinite"]
    assert int(out.carry.bad_step) == int(out.steps) == step + 1 == 91
    assert int(out.carry.bad_leaf) == 1
    assert np.isfinite(float(out.x["b"]))


def test_the_seed_of_a_random_method():
    method = NoisyDescent(0.5 / PROBLEM.L, 1e-3)
    go = jax.jit(
        lambda seed, every_: run(
            PROBLEM, method, check=CHECK, tol=1e-12, max_steps=40, every=4,
            key=jax.random.key(seed),
        ).carry.state.x,
        static_argnums=1,
    )  # fmt: skip
    np.testing.assert_array_equal(go(3, 0), go(3, 0))
    assert np.abs(np.asarray(go(3, 0)) - np.asarray(go(4, 0))).max() > 1e-5
    # Noise differs from step to step: forty equal ones would drift ten times as far.
    quiet = NoisyDescent(0.0, 1.0)
    far = run(
        PROBLEM, quiet, check=CHECK, tol=1e-12, max_steps=40, every=4
    ).carry.state.x
    assert 0.5 * np.sqrt(40 * 5) < np.linalg.norm(far) < 2 * np.sqrt(40 * 5)


@pytest.mark.parametrize("tol", [0.0, -1e-3, float("nan"), float("inf"), "1e-6"])
def test_a_tolerance_must_be_positive(tol):
    for stated in (lambda: tol, lambda: Absolute(tol)):
        with pytest.raises(Misuse, match="tol"):
            solve(PROBLEM, tol=stated())


def test_an_absolute_tolerance_is_in_natural_units():
    out = run(
        long_valley(), GradientDescent(1.0, search=False), check=CHECK,
        tol=Absolute(2e-4), max_steps=1000,
    )  # fmt: skip
    assert status(out) == CODE["certified"]
    assert float(out.certificate.scale) == 1.0
    assert 1e-6 < float(out.certificate.value) <= 2e-4


def test_methods_refuse_with_a_cure():
    problem = Composite(lambda x: jnp.sum(x**2), L1(1.0), np.zeros(5))
    refusal = Fista.suggest(problem, problem.facts())
    assert isinstance(refusal, Refusal) and "declare L" in str(refusal)
