"""Models in raw columns are seen scaled and centred, and judged as they stand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looks import at_once

import banach as bn
from banach.core import compat, tree
from banach.core.view import Viewed
from banach.doors import defaults
from banach.kinds.glm import column_scaling
from banach.kinds.glm.problem import GLM

SIZES = np.array([1e-3, 1.0, 40.0, 7e4])


def _table(n=60, seed=4):
    g = np.random.default_rng(seed)
    return g.normal(size=(n, 4)) * SIZES + np.array([0, 3.0, 1900.0, 2e5])


def _targets(A, loss, seed=5):
    g = np.random.default_rng(seed)
    z = (A - A.mean(0)) / A.std(0) @ np.array([0.5, -0.3, 0.4, 0.2])
    if isinstance(loss, bn.LogisticLoss):
        return (g.uniform(size=len(z)) < 1 / (1 + np.exp(-z))).astype(int)
    if isinstance(loss, bn.PoissonLoss):
        return g.poisson(np.exp(z))
    if isinstance(loss, bn.SoftmaxLoss):
        return np.digitize(z + 0.3 * g.normal(size=len(z)), [-0.4, 0.4])
    return z + 0.1 * g.normal(size=len(z))


def _model(loss, term, intercept=True, **data):
    A = _table()
    return GLM(A, _targets(A, loss), loss, term, intercept=intercept, **data)


MODELS = {
    "lasso": lambda: _model(bn.SquaredLoss(), bn.L1(2.0)),
    "ridge": lambda: _model(bn.SquaredLoss(), bn.SquaredL2(0.5)),
    "logistic": lambda: _model(bn.LogisticLoss(), bn.ElasticNet(0.3, 0.2)),
    "softmax": lambda: _model(bn.SoftmaxLoss(3), bn.SquaredL2(0.7)),
    "poisson": lambda: _model(bn.PoissonLoss(), bn.SquaredL2(0.4)),
    "weighted": lambda: _model(
        bn.HuberLoss(1.2),
        bn.SquaredL2(np.array([0.1, 0.2, 0.3, 0.4])),
        sample_weight=np.linspace(0.2, 3, 60),
    ),
    "box": lambda: _model(
        bn.SquaredLoss(), bn.Box(np.zeros(4), np.full(4, 0.1)), intercept=False
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_view_is_a_linear_change_of_variable(name):
    problem = MODELS[name]()
    with compat.double():
        view = problem.view()
        assert view is not None
        other = view.there(problem)
        key = jax.random.key(3)
        shape = problem.space().shape
        x, v, g = (jax.random.normal(k, shape) for k in jax.random.split(key, 3))

        def pairs(x, v, g):
            back = view.to(view.back(bn.Point(x))).x
            near = 0.1 * x
            bent = jax.jvp(other.grad, (near,), (v,))[1]
            product = other.hvp(near, v)
            return {
                "there and back": (back, x),
                "<T x, g> = <x, T' g>": (
                    jnp.vdot(view.home(x), g), jnp.vdot(x, view.transposed(g))
                ),
                "value": (other.value(near), problem.value(view.home(near))),
                "gradient": (other.grad(near), jax.grad(other.value)(near)),
                "product": (product, bent),
                "Hessian": (other.hess(near) @ v.ravel(), tree.ravel(product)[0]),
            }  # fmt: skip

        found = at_once(pairs, x, v, g)
    if problem.loss.curvature_bound is None:
        del found["product"]
    close = {
        "there and back": dict(rtol=0, atol=1e-8),
        "<T x, g> = <x, T' g>": dict(rtol=1e-10),
        "value": dict(rtol=1e-7),
    }
    for what, pair in found.items():
        within = close.get(what, dict(rtol=1e-6, atol=1e-6))
        np.testing.assert_allclose(*pair, **within, err_msg=what)


@pytest.mark.parametrize("name", MODELS)
def test_constants_of_the_view_bound_its_hessians(name):
    problem = MODELS[name]()
    with compat.double():
        view = problem.view()
        other, facts = view.there(problem), view.there(problem).facts()
        x = 0.05 * jax.random.normal(jax.random.key(1), problem.space().shape)
        values = np.linalg.eigvalsh(np.asarray(other.hess(x)))
        if facts.L is not None:
            assert values[-1] <= float(facts.L) <= 40 * problem.A.shape[1]
        if facts.mu is not None:
            assert 0 < float(facts.mu) <= values[0] * (1 + 1e-9)
        # What the view is for: curvatures within reach of each other.
        diagonal = np.diag(np.asarray(other.hess(jnp.zeros_like(x))))
        if problem.loss.curvature_bound is not None and name != "weighted":
            assert np.max(diagonal) <= 1.01 * float(facts.L)


@pytest.mark.parametrize("name", ["lasso", "logistic", "box"])
def test_the_prox_is_the_terms_own_in_the_other_units(name):
    problem = MODELS[name]()
    with compat.double():
        view = problem.view()
        other = view.there(problem)
        v = 3 * jax.random.normal(jax.random.key(2), problem.space().shape)
        t = 0.3
        near = other.prox(v, t)

        def cost(x):
            c = problem.split(view.home(x))[0]
            if isinstance(problem.term, bn.Box):
                off = problem.term.violation(c)
                return jnp.where(off > 1e-9, jnp.inf, 0) + jnp.sum((x - v) ** 2) / 2
            return problem.term.value(c) * t + jnp.sum((x - v) ** 2) / 2

        least = cost(near)
        for k in range(40):
            step = jax.random.normal(jax.random.key(k), v.shape)
            for size in (1e-4, 1e-2, 1.0):
                assert cost(near + size * step) >= least - 1e-12


@pytest.mark.parametrize("name", MODELS)
def test_raw_columns_are_answered_in_few_steps(name):
    problem = MODELS[name]()
    # The default of sparse models scales columns by itself.
    method = "fista" if isinstance(problem.term, bn.L1 | bn.ElasticNet) else None
    result = bn.solve(problem, method, max_steps=2000)
    assert result.certified, result
    assert result.method.seen_as().startswith("columns scaled")
    assert result.steps < 200
    assert "judged as it stands" in str(result)
    assert result.to_dict()["manifest"]["view"] == result.method.seen_as()


def test_first_order_methods_need_no_more_steps_than_on_scaled_columns():
    problem = MODELS["lasso"]()
    raw = bn.solve(problem, "proximal_gradient", max_steps=3000)
    assert raw.certified
    # Scaled by hand, with the weights that make it the same problem.
    A, s = problem.A - problem.A.mean(0), problem.A.std(0) * np.sqrt(60)
    hand = GLM(A / s, problem.y, problem.loss, bn.L1(2.0 / s), intercept=True)
    assert hand.view() is None or np.allclose(hand.view().scale, 1)
    other = bn.solve(hand, "proximal_gradient", max_steps=3000)
    np.testing.assert_allclose(raw.x[:-1] * s, other.x[:-1], rtol=1e-3, atol=1e-4)


def test_equal_columns_and_coupled_terms_are_seen_as_they_are():
    g = np.random.default_rng(0)
    A = g.normal(size=(30, 4))
    assert bn.Ridge(A, g.normal(size=30), 1.0).view() is None
    raw = A * SIZES
    assert GLM(raw, g.normal(size=30), bn.SquaredLoss(), bn.Simplex()).view() is None
    group = bn.GroupL2(1.0, [0, 0, 1, 1])
    assert GLM(raw, g.normal(size=30), bn.SquaredLoss(), group).view() is None
    assert bn.Ridge(raw, g.normal(size=30), 1.0).view() is not None


def test_a_term_that_couples_coordinates_says_what_would_help():
    g = np.random.default_rng(3)
    raw, y = g.normal(size=(30, 4)) * SIZES, g.normal(size=30)
    group = bn.GroupL2(1.0, [0, 0, 1, 1])
    result = bn.solve(
        GLM(raw, y, bn.SquaredLoss(), group), "proximal_gradient", max_steps=5
    )
    assert result.status == "budget"
    assert "differ in size by" in result.hint and "GroupL2" in result.hint
    alike = GLM(raw / SIZES, y, bn.SquaredLoss(), group)
    result = bn.solve(alike, "proximal_gradient", max_steps=1)
    assert "differ in size" not in result.hint


def test_numbers_that_the_caller_gave_are_those_of_the_problem_as_it_stands():
    problem = MODELS["lasso"]()
    L = float(problem.facts().L)
    assert defaults.method_for(bn.Fista(lipschitz=L), problem).seen_as() == ""
    assert defaults.method_for(bn.Fista(restart=False), problem).seen_as() != ""
    assert defaults.method_for(bn.Fista(), problem).seen_as() != ""
    assert defaults.method_for("fista", problem).label() == "fista"
    # The method of a result solves its own problem again, and no other.
    method = bn.solve(problem, "fista").method
    assert isinstance(method, Viewed)
    assert bn.solve(problem, method).certified
    with pytest.raises(bn.Misuse, match="sees another problem through columns scaled"):
        bn.solve(bn.Lasso(np.eye(3), np.ones(3), 0.1), method)


def test_a_run_through_a_view_is_saved_and_resumed_bit_for_bit(tmp_path):
    problem = MODELS["lasso"]()
    whole = bn.solve(problem, "proximal_gradient", max_steps=3000, tier="split")
    file = tmp_path / "half.json"
    border = whole.settings.every
    assert whole.steps > border
    half = bn.solve(
        problem,
        "proximal_gradient",
        max_steps=border,
        checkpoint=str(file),
        tier="split",
    )
    assert half.status == "budget"
    on = bn.solve(problem, "proximal_gradient", max_steps=3000, resume=str(file))
    np.testing.assert_array_equal(on.x, whole.x)
    assert on.steps == whole.steps
    saved = tmp_path / "run.json"
    whole.save(str(saved))
    assert bn.verify(str(saved)).certified


def test_lanes_see_their_own_columns():
    g = np.random.default_rng(2)
    problems = []
    for size in (1.0, 1e3, 1e-2):
        A = g.normal(size=(20, 3)) * np.array([1.0, size, 1.0])
        problems.append(bn.Lasso(A, g.normal(size=20), 0.5))
    results = bn.solve_many(problems, "fista", max_steps=2000)
    for problem, result in zip(problems, results, strict=True):
        alone = bn.solve(problem, "fista", max_steps=2000)
        assert result.certified and alone.certified
        assert result.steps < 300
        s = np.linalg.norm(problem.A, axis=0)
        np.testing.assert_allclose(result.x * s, alone.x * s, atol=2e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_at_the_ends_of_the_range_make_a_finite_view(dtype):
    far = 1e-16 if dtype == np.float32 else 1e-130
    A = (_table()[:, :3] * np.array([far, 1.0, 1 / far])).astype(dtype)
    problem = bn.Lasso(A, np.ones(60, dtype), 1.0, intercept=True)
    with compat.double():
        view = problem.view()
        assert all(np.all(np.isfinite(v)) for v in jax.tree.leaves(view))
        assert all(np.all(v != 0) for v in (view.scale, view.level))


@pytest.mark.parametrize(
    ("spread", "mean", "viewed"),
    [(1.0, 0.5, False), (1.0, 8.0, True), (0.35, 1.4, True)],
)
def test_equal_columns_far_from_zero_are_centred(spread, mean, viewed):
    """A mean of four spreads is seen through the view, however alike the columns."""
    g = np.random.default_rng(3)
    A = spread * g.normal(size=(60, 4)) + mean
    p = bn.Lasso(A, A @ np.ones(4), lam=2.0, intercept=True)
    assert (p.view() is not None) == viewed


@pytest.mark.parametrize(
    ("dtype", "sizes", "scales"),
    [
        (np.float64, [1e150, 1.0, 1e-150], [1e-140, None, 1e140]),
        (np.float32, [1e18, 1.0, 1e-18], [1e-17, None, 1e17]),
    ],
)
def test_scales_stay_where_their_squares_are_numbers(dtype, sizes, scales):
    A = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]]) * np.array(sizes)
    problem = GLM(
        A.astype(dtype), np.ones(2, dtype), bn.SquaredLoss(), bn.L1(0.1),
        intercept=False,
    )  # fmt: skip
    with compat.double():
        found = column_scaling.of(problem, always=True).scale
    for got, want in zip(found, scales, strict=True):
        if want is not None:
            assert float(got) == pytest.approx(want, rel=1e-6, abs=0)


def test_curvature_that_is_seen_counts_the_weights_of_the_rows():
    """Four times the weight in the same columns is four times the curvature."""
    A = _table()
    b = _targets(A, bn.SquaredLoss())
    with compat.double():
        one, four = (
            GLM(A, b, bn.SquaredLoss(), bn.L1(0.3), intercept=True, sample_weight=w)
            for w in (np.ones(60), np.full(60, 4.0))
        )
        view = column_scaling.of(one, always=True)
        seen = [float(view.there(p)._seen()) for p in (one, four)]
    assert seen[1] == pytest.approx(4 * seen[0], rel=1e-9)
