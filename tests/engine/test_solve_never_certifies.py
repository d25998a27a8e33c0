"""Whole runs that must never end certified, whatever the method announces."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import A, B, ridge

import banach as bn
from banach.core.card import method
from banach.core.method import Method
from banach.core.point import Point
from banach.methods.composite.fista import Fista
from banach.methods.composite.frank_wolfe import FrankWolfe
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.lbfgs import Lbfgs

LBFGS = Lbfgs(memory=5)


def never(result):
    assert not result.certified and result.status != "certified"
    with pytest.raises(bn.NotCertified):
        result.require()
    assert "NOT CERTIFIED" in str(result)
    return result


class Held(eqx.Module):
    x: jax.Array
    dual: jax.Array | None


@method(
    name="boaster",
    family="smooth",
    problem="Smooth",
    needs={"grad"},
    paper="none",
    cost={"grad": 0},
)
class Boaster(Method):
    """Stays where it is, announces the end, and offers a forged dual point."""

    dual: jax.Array | None = None

    @classmethod
    def suggest(cls, problem, facts):
        return cls()

    def init(self, problem, start, key):
        dual = None if self.dual is None else jnp.asarray(self.dual)
        return Held(start.x, dual)

    def step(self, problem, state, key):
        return state

    def point(self, state):
        return Point(state.x, state.dual)

    def stuck(self, state):
        return jnp.asarray(True)


def test_a_method_that_announces_its_own_victory():
    r = never(bn.solve(ridge(), Boaster(), tol=1e-6))
    assert r.status == "stalled" and float(r.certificate.ratio) == pytest.approx(1.0)


@pytest.mark.parametrize("forged", [0.0, 1e30, np.nan])
def test_a_dual_point_forged_by_the_method(forged):
    problem = bn.LogisticRegression(A, B > 0, 0.1, intercept=False)
    plain = bn.solve(problem, Boaster(), max_steps=3)
    witness = np.full(12, forged)
    r = never(bn.solve(problem, Boaster(witness), max_steps=3))
    assert r.certificate.quantity == "f(x)-f*"
    # The check's own witness is at least as good as garbage; the truth bounds both.
    best = bn.solve(problem, LBFGS, tol=1e-12)
    gap = float(problem.objective(r.x) - problem.objective(best.x))
    assert gap > 1e-3
    assert gap <= float(r.certificate.value) + float(r.certificate.slack)
    assert float(r.certificate.value) <= float(plain.certificate.value) * (1 + 1e-9)


def test_an_infeasible_problem():
    # x >= 0 and sum x = -1: the set is empty, and nothing may be certified in it.
    with pytest.raises(ValueError, match="radius must be positive"):
        bn.SimplexLeastSquares(A, B, radius=-1.0)
    with pytest.raises(ValueError, match=r"(?i)lower|empty"):
        bn.BoxLeastSquares(A, B, lower=1.0, upper=-1.0)


def test_an_objective_without_a_minimiser():
    # Unbounded below: steps grow, the gradient does not shrink.
    line = bn.Smooth(lambda x: jnp.sum(x), np.zeros(3), reference=np.zeros(3))
    never(bn.solve(line, LBFGS, max_steps=200))
    # Separable data: the loss falls for ever; its gradient says nothing of a gap.
    y = np.where(A[:, 0] > 0, 1.0, -1.0)
    problem = bn.Smooth(
        lambda w: jnp.sum(jnp.logaddexp(0.0, -y * (A @ w))),
        np.zeros(5), convex=True, reference=np.zeros(5),
    )  # fmt: skip
    r = bn.solve(problem, LBFGS, tol=1e-6, max_steps=500)
    assert r.certificate.grade == "residual"
    assert "f*" not in r.certificate.quantity and "x*" not in r.certificate.quantity


def test_an_optimum_where_the_function_is_nan():
    # Where f is a NaN constant its gradient is zero: stationary, were f not looked at.
    def f(x):
        return jnp.sum(jnp.where(x > 1e-3, x**2, jnp.nan))

    problem = bn.Smooth(f, np.ones(3), L=2.0, reference=np.ones(3))
    for step in (0.4, 0.9):
        r = never(bn.solve(problem, GradientDescent(step, False), max_steps=400))
        assert r.status in ("nonfinite", "stalled")
        assert np.isfinite(r.x).all() and (r.x > 1e-3).all()
    never(bn.solve(problem, LBFGS, max_steps=400))


def test_a_start_where_the_function_is_nan():
    problem = bn.Smooth(lambda x: jnp.sum(jnp.log(x)), np.array([-1.0, 2.0]))
    r = never(bn.solve(problem, LBFGS))
    assert r.status == "nonfinite" and r.steps == 0
    assert "domain" in r.reason and np.array_equal(r.x, [-1.0, 2.0])


def test_minus_log_on_a_huge_box_is_flat_and_no_gap():
    f = bn.Smooth(lambda x: -jnp.sum(jnp.log(x)), np.ones(2), convex=True)
    problem = bn.Composite(f, bn.Box(1.0, 1e12), np.ones(2))
    r = bn.solve(problem, FrankWolfe(), start=np.full(2, 1e9), max_steps=0)
    never(r)
    # The gap to the corner is 2 log 1000, though the gradient is 1e-9.
    value = float(r.certificate.value) + float(r.certificate.slack)
    assert value >= 2 * np.log(1000) and r.certificate.grade == "bound"


def test_a_learning_rate_of_a_billionth():
    for tiny in (1e-9, 1e-300):
        r = never(bn.solve(ridge(), GradientDescent(tiny, False), max_steps=2000))
        assert float(r.certificate.ratio) > 0.99
        assert r.status in ("budget", "stalled")
    lasso = bn.Lasso(A, B, 0.1)
    # A huge L is a tiny step: x - x+ is small, and the check does not look at it.
    r = never(bn.solve(lasso, Fista(1e12), max_steps=2000))
    assert float(r.certificate.ratio) > 0.5


def test_the_residual_of_a_rescaled_problem():
    def stated(c):
        return bn.Smooth(
            lambda x, A, c: c * jnp.sum((A @ x - B) ** 2),
            np.zeros(5), (A, c), reference=np.zeros(5),
        )  # fmt: skip

    ratios = []
    for c in (1.0, 1e-12, 1e12):
        r = never(bn.solve(stated(c), Boaster(), start=np.full(5, 0.1), max_steps=1))
        ratios.append(float(r.certificate.ratio))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    # Column scaling moves no gap.
    d = np.array([1e-3, 1.0, 1e3, 1.0, 1.0])
    x = np.array([0.3, -0.1, 0.2, 0.0, 0.1])
    plain = bn.verify(bn.Lasso(A, B, 0.5), x)
    scaled = bn.Lasso(A * d, B, 0.5)
    moved = bn.verify(scaled, x / d)
    assert not plain.certified and not moved.certified
    assert float(moved.certificate.scale) == pytest.approx(
        float(plain.certificate.scale), rel=1e-9
    )


def test_a_point_polished_after_its_certificate():
    r = bn.solve(ridge(), LBFGS, tol=1e-9)
    verdict = bn.verify(r)
    assert verdict.point_matches and verdict.status == "certified"
    with pytest.raises(ValueError, match="read-only"):
        r.x[0] += 1e-13
    with pytest.raises(AttributeError, match="a Result is evidence"):
        r.point = Point(r.x + 1e-13)
    polished = r.replaced(point=Point(r.x + 1e-13), certificate=r.certificate)
    verdict = bn.verify(polished)
    assert verdict.point_matches is False and verdict.status == "refuted"


def test_a_problem_swapped_after_the_solve():
    r = bn.solve(ridge(), LBFGS, tol=1e-9)
    near = ridge(b=B + 1e-15 * (np.arange(12) == 3))
    verdict = bn.verify(r, problem=near)
    # The numbers would still pass; the claim was about other data.
    assert verdict.certificate.within(1e-9) and not verdict.certified
    assert verdict.problem_matches is False and verdict.status == "refuted"
    far = bn.verify(r, problem=ridge(b=B[::-1].copy()))
    assert not far.certified and far.status == "refuted"


def test_a_nonconvex_function_declared_convex_carries_the_declaration():
    def f(x):
        return jnp.sum(jnp.cos(3 * x) + 0.01 * x**2)

    stated = bn.Smooth(f, np.full(2, 0.2), convex=True, radius=4.0, L=9.1)
    method = GradientDescent(0.1, False)
    r = bn.solve(stated, method, check="ball_gap", tol=bn.Absolute(1e-3))
    # Sampled midpoints see the cosine; if they did not, the line is printed.
    assert not r.certified and r.status in ("refuted", "budget", "stalled")
    assert "convex: declared" in str(r)

    # A dent where no sample falls: certified, with its declaration in print.
    def dent(x):
        return jnp.sum(x**2) - 5e5 * jnp.sum(jnp.exp(-(((x - 500.0) / 1e-3) ** 2)))

    hidden = bn.Composite(dent, bn.Box(-1e3, 1e3), np.ones(1), convex=True, L=2.0)
    r = bn.solve(hidden, "fista", tol=bn.Absolute(1e-6))
    assert "convex: declared" in str(r) and "convex: declared" in r.certificate.assumes


def test_mu_declared_ten_times_too_large_is_refuted_or_printed():
    lie = bn.Smooth(lambda x: jnp.sum(jnp.log(jnp.cosh(x - 1))), np.zeros(3), mu=10.0)
    r = never(bn.solve(lie, GradientDescent(1.0, False), check="strong_gap"))
    assert r.status == "refuted" and "mu: declared" in r.reason


def test_float32_that_cannot_tell_is_told():
    small = bn.Lasso(A.astype(np.float32), B.astype(np.float32), np.float32(0.5))
    r = never(bn.solve(small, "fista", tol=1e-14, max_steps=3000))
    assert r.x.dtype == np.float32 and r.status in ("stalled", "unverifiable", "budget")


def test_a_function_without_rounding_rules_is_judged_by_estimated_rounding():
    """An operation that the model does not know (a determinant) ends no run."""

    def barrier(x):
        return jnp.sum(x**2) - jnp.linalg.slogdet(jnp.diag(x) + jnp.ones((3, 3)))[1]

    r = bn.minimize(barrier, np.ones(3))
    assert r.certified and r.certificate.rounding == "estimated"
    assert any("rounding: estimated" in a for a in r.certificate.assumes)
    x = np.asarray(r.x)
    slope = 2 * x - np.diag(np.linalg.inv(np.diag(x) + np.ones((3, 3))))
    assert np.linalg.norm(slope) <= float(r.certificate.value + r.certificate.slack)
